"""``tgap ui`` and ``tgap sync``: MLflow's pages, and what they do not show yet."""

import click

from tgap import tracking
from tgap.core.files import home_folder


@click.command
@click.option("--port", type=click.IntRange(1, 65535), default=5000, help="of the pages")
@click.option(
    "--host",
    default=tracking.HOST,
    help="address to serve them at; another than this machine's lets others in, without a password",
)
@click.option("--browser/--no-browser", default=True, help="open them in a browser")
def ui(port: int, host: str, browser: bool) -> int:
    """Open the newest sweep in MLflow's pages."""
    home = home_folder()
    return tracking.serve_ui(home, tracking.resolve_uri(home), port, host, browser, click.echo)


@click.command
def sync() -> int:
    """Log to MLflow what could not be logged when it was computed."""
    counts = tracking.sync(home_folder(), tracking.resolve_uri(home_folder()))
    told = [
        f"{count} {kind if count > 1 else kind.removesuffix('s')}"
        for kind, count in counts.items()
        if count
    ]
    if told:
        print(f"brought up to date in MLflow: {', '.join(told)}")
    else:
        print("MLflow has everything already")
    return 0
