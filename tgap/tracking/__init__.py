"""Journal and MLflow: every number is on disk first, and reaches MLflow when it can."""

from tgap.tracking.journal import CURVE, SWEEP, Journal
from tgap.tracking.pages import HOST, serve_ui, ui_command
from tgap.tracking.run_log import RunLog
from tgap.tracking.server import resolve_uri
from tgap.tracking.tracker import Tracker, sync

__all__ = [
    "CURVE",
    "HOST",
    "SWEEP",
    "Journal",
    "RunLog",
    "Tracker",
    "resolve_uri",
    "serve_ui",
    "sync",
    "ui_command",
]
