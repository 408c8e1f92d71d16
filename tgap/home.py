"""Where tgap keeps its things."""

import os
from pathlib import Path


def home_folder() -> Path:
    """``TGAP_HOME``, or ``.tgap`` in the current folder, as an absolute path."""
    return Path(os.environ.get("TGAP_HOME") or ".tgap").absolute()
