"""Entry point: ``python -m tgap.run [group=option ...] [key=value ...] [-m]``.

Compose, check, build, run, record; the steps are in ``launch``, the stages in ``pipeline``.
"""

import sys

from tgap.cli import run_command


def main() -> None:
    """Run what the command line says, and exit with 0 only if every run succeeded."""
    sys.exit(run_command(sys.argv[1:]))


if __name__ == "__main__":
    main()
