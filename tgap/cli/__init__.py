"""What people type: ``tgap`` and its commands."""

from tgap.cli.main import main

__all__ = ["main"]
