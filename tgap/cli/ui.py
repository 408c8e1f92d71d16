"""``tgap ui`` and ``tgap sync``."""

from tgap.core.files import home_folder


def ui(port: int) -> int:
    """Open MLflow's UI on localhost with the right store."""
    from tgap.tracking import resolve_uri, serve_ui

    return serve_ui(home_folder(), resolve_uri(home_folder()), port)


def synchronise() -> int:
    """Log what is still in the journal only."""
    from tgap.tracking import resolve_uri, sync

    print(f"{sync(home_folder(), resolve_uri(home_folder()))} runs logged")
    return 0
