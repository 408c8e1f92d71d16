"""Labels and findings as parts of metric names."""

import re
from collections.abc import Sequence


def metric_names(names: Sequence[str]) -> list[str]:
    """Names of labels or findings as parts of MLflow metric names, all different.

    MLflow takes letters, digits, ``_``, ``-``, ``.`` and spaces; ``/`` would open a folder. Any
    other character becomes ``_``; a name that is taken by then gets its position appended.

    >>> metric_names(["No Finding", "mass/nodule", "mass:nodule"])
    ['No Finding', 'mass_nodule', 'mass_nodule_2']
    """
    taken: list[str] = []
    for position, name in enumerate(names):
        plain = re.sub(r"[^\w.\- ]", "_", name)
        while plain in taken:
            plain = f"{plain}_{position}"
        taken.append(plain)
    return taken
