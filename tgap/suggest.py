"""Did you mean ...?"""

import difflib
from collections.abc import Sequence


def nearest(got: str, allowed: Sequence[str]) -> str:
    """The end of a sentence about an unknown name: the nearest allowed one, and all of them.

    >>> nearest("sizze", ["seed", "size"])
    "; did you mean 'size'? (one of: seed, size)"
    >>> nearest("x", [])
    ''
    """
    if not allowed:
        return ""
    close = difflib.get_close_matches(got, allowed, n=1, cutoff=0.5)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"{hint} (one of: {', '.join(allowed)})"
