"""Entry point: ``python -m tgap.run [group=option ...] [key=value ...] [-m]``.

Compose, check, build, run, record; the steps are in ``sweep``, the stages in ``pipeline``.
"""

import sys
from types import ModuleType
from typing import Any

import tgap
from tgap.cli.main import run_command


def main() -> None:
    """Run what the command line says, and exit with 0 only if every run succeeded."""
    sys.exit(run_command(sys.argv[1:]))


class _Callable(ModuleType):
    """Importing this module puts it in the place of the function ``tgap.run``: so it is one too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _run(*args, **kwargs)


_run = tgap.run
sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    main()
