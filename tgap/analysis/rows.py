"""A run as a row of a table: planned, or finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tgap.core import Doubles

Settings = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run that was asked for.

    Args:
        method: Label of the method.
        method_key: Hash of what the method is; runs are grouped by it, not by the label.
        size: Tuning images, per label unless the setting ``size_unit`` is ``total``; ``None`` if
            nothing was tuned.
        seed: The run's seed.
        settings: What is neither method, size nor seed, e.g. ``sampler.guidance``, as text.
        is_control: Whether the truth about it is known, so that it is shown and not compared.
        split: What tells its split of the data from the others that its seed's numbers are means
            over, e.g. ``{"protocol.fold": "2"}``; empty if there is one split.
        splits: The same of all of these, itself among them, asked for or not.
        synthetic: Key of its synthetic set; runs that share it are no two draws. Empty if that is
            not known.
    """

    method: str
    method_key: str
    size: int | None
    seed: int
    settings: Settings
    is_control: bool = False
    split: Settings = field(default_factory=dict)
    splits: Sequence[Settings] = field(default_factory=list)
    synthetic: str = ""


@dataclass(frozen=True)
class ArtifactCost:
    """What one artifact of a run cost when it was made, in this run or in an earlier one.

    Args:
        stage: Of the run, e.g. ``finetune``.
        key: Names the artifact; runs that share it share its cost.
        seconds: That making it took.
    """

    stage: str
    key: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunRow(PlannedRun):
    """A run that was finished.

    Args:
        evaluation_key: Key of the scores: runs that share it are one result.
        metrics: Numbers by MLflow name.
        resampled: ``(B,)`` macro AUROCs on resampled test images, by leg; empty if there are none.
        costs: Of all its artifacts; empty where they were not written down.
    """

    evaluation_key: str
    metrics: Mapping[str, float]
    resampled: Mapping[str, Doubles] = field(default_factory=dict)
    costs: Sequence[ArtifactCost] = ()
