"""Errors that a person is meant to read: what is wrong, where, what is allowed, how to mend it."""

import difflib
from collections.abc import Sequence


class TgapError(Exception):
    """Base of every error that tgap raises on purpose; shown without a traceback."""


class ConfigError(TgapError):
    """One or more wrong values or combinations in a configuration.

    Args:
        problems: One sentence each; all of them are shown together.

    >>> print(ConfigError("size must be at least 1, got 0", "unknown key 'sizze'"))
    2 problems in the configuration:
      - size must be at least 1, got 0
      - unknown key 'sizze'
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__(self._text())

    def _text(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems in the configuration:\n{lines}"


class ContractError(TgapError):
    """A component got or gave something that its group's contract rules out."""


class DataError(TgapError):
    """Images, labels or a model's files are missing, broken or do not fit together."""


class StoreError(TgapError):
    """The artifact store cannot be read or written."""


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
