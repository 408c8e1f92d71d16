"""tgap: can a model be trained on what my fine-tuned generator makes?

In Python, as on the command line:

    result = tgap.run("selector=clip_spectral", "size=100")
    result.metrics["fter"]
    train, test = result.synthetic()
    generator = result.generator().load()
    table = tgap.sweep("selector=random,clip_spectral", "size=100,500")
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd

    from tgap.composition.config import Run
    from tgap.core import Doubles, Images
    from tgap.pipeline.result import Result

    __version__: str


for _switch in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_switch, "true")  # before the libraries are loaded, which read them then
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def __getattr__(name: str) -> str:
    """``tgap.__version__``, looked up when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module 'tgap' has no attribute '{name}'")
    from importlib.metadata import version

    return version("tgap")


def compose(*overrides: str) -> "Run":
    """Compose a run from the words that a command line would have.

    Raises:
        ConfigError: With all wrong values together.
    """
    from tgap.composition.compose import compose_run, hydra_ready

    with hydra_ready() as hydra:
        return compose_run(hydra, overrides)


def run(run: "Run | str | None" = None, *overrides: str, track: bool = True) -> "Result":
    """Check and execute one run with the store in ``TGAP_HOME``; what is there is not made again.

    Args:
        run: A composed run, or the first of the words that a command line would have.
        overrides: Further words.
        track: Whether to log it to MLflow, as the command line does.

    Returns:
        Metrics, and everything that the run left, to be read back.

    Raises:
        TgapError: If it cannot start or a stage fails.
    """
    from tgap.core.errors import ConfigError
    from tgap.core.files import home_folder
    from tgap.pipeline.preflight.runs import check_runs
    from tgap.pipeline.stages import execute
    from tgap.store import Store
    from tgap.sweeps.identity import planned
    from tgap.sweeps.recorder import Recorder

    composed = not (run is None or isinstance(run, str))
    if run is None or isinstance(run, str):
        overrides = overrides if run is None else (run, *overrides)
        run = compose(*overrides)
    elif overrides:
        raise ConfigError(f"a composed run takes no overrides, got {', '.join(overrides)}")
    (plan,) = check_runs([run], home_folder())
    if not track:
        result = execute(plan, Store(home_folder() / "store"))
    else:
        result, _ = Recorder(home_folder()).execute(planned(plan, overrides), overrides)
    result.words = None if composed else overrides
    return result


def sweep(*overrides: str) -> "pd.DataFrame":
    """Do all runs of a sweep, as ``python -m tgap.run ... -m`` does, and compare them.

    Args:
        overrides: As on the command line, with commas between the values of a sweep.

    Returns:
        A row per method, size and settings; see ``tgap.analysis.frame.frame``.

    Raises:
        ConfigError: If a run cannot start; then none does.
        TgapError: If runs failed, with what each said; the others are recorded all the same.
    """
    from tgap.analysis.frame import frame
    from tgap.core.errors import TgapError
    from tgap.sweeps.launch import launch

    launched = launch(overrides, sweep=True)
    failures = [one.failure for one in launched.outcomes if one.failure is not None]
    if failures:
        raise TgapError("; ".join(failures))
    return frame(launched.comparison)


def compare(
    *chosen: str,
    experiment: str = "tgap",
    reference: str | None = None,
    of: "Sequence[str]" = (),
    across: "Sequence[str]" = (),
    metric: "Sequence[str]" = (),
) -> "pd.DataFrame":
    """All runs so far in one table, as ``tgap compare`` has them.

    Args:
        chosen: ``name=value`` for parameters of runs, e.g. ``"size=100,500"``.
        experiment: MLflow experiment.
        reference: The method that others are compared with.
        of: Metrics to compare by.
        across: Settings in which compared rows may differ.
        metric: Further metrics.

    Returns:
        A row per method, size and settings; see ``tgap.analysis.frame.frame``.

    Raises:
        ConfigError: If there is no such run, parameter, method or metric.
    """
    from tgap.analysis.comparison import Asked
    from tgap.analysis.comparison import compare as compared
    from tgap.analysis.frame import frame
    from tgap.core.files import home_folder
    from tgap.sweeps.history import parameters_of, recorded

    rows, missing = recorded(home_folder(), experiment, parameters_of(chosen))
    return frame(compared(rows, missing, Asked(reference, of, across, metric)))


def load_classifier(folder: "Path | str", trained_on: str) -> "Callable[[Images], Doubles]":
    """A classifier that ``tgap export`` wrote; see ``tgap.pipeline.export.classifier``.

    Args:
        folder: The folder ``classifier`` of an export.
        trained_on: ``synthetic`` or ``real``.

    Returns:
        A function of ``(N, H, W, C)`` uint8 images to probabilities ``(N, L)``.

    Raises:
        DataError: If it is no such folder, or holds another library's network.
    """
    from pathlib import Path

    from tgap.pipeline.export import classifier

    return classifier.load_classifier(Path(folder), trained_on)
