"""``tgap ui`` and ``tgap sync``: MLflow's pages, and what they do not show yet."""

import click

from tgap import tracking
from tgap.core.files import home_folder


@click.command
@click.option("--port", type=int, default=5000, help="of the pages, on this machine only")
def ui(port: int) -> int:
    """Open MLflow's pages on this machine."""
    return tracking.serve_ui(home_folder(), tracking.resolve_uri(home_folder()), port)


@click.command
def sync() -> int:
    """Log to MLflow what could not be logged when it was computed."""
    print(f"{tracking.sync(home_folder(), tracking.resolve_uri(home_folder()))} runs logged")
    return 0
