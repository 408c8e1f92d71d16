"""tgap: can a model be trained on what my fine-tuned generator makes?

In Python, as on the command line:

    run = tgap.compose("selector=clip_spectral", "size=100")
    result = tgap.execute(run)
    result.metrics["fter"]
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tgap.config import Run
    from tgap.pipeline import Result


def compose(*overrides: str) -> "Run":
    """Compose a run from the words that a command line would have.

    Raises:
        ConfigError: With all wrong values together.
    """
    from tgap.composition import compose_run, hydra_ready

    with hydra_ready() as hydra:
        return compose_run(hydra, overrides)[0]


def execute(run: "Run") -> "Result":
    """Check and execute a run with the store in ``TGAP_HOME``; nothing is tracked.

    Raises:
        TgapError: If it cannot start or a stage fails.
    """
    from tgap.errors import ConfigError
    from tgap.home import home_folder
    from tgap.pipeline import execute
    from tgap.preflight import check_runs
    from tgap.store import Store

    problems = check_runs([run], home_folder())
    if problems:
        raise ConfigError(problems)
    return execute(run, Store(home_folder() / "store"))
