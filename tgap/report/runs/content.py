"""What a report is made from: plain values, gathered by those who know records and the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tgap.analysis.comparison import Comparison
from tgap.analysis.rows import RunRow
from tgap.core import Images, Scores


@dataclass(frozen=True)
class RecordedRun:
    """A finished run, as it is listed.

    Args:
        row: Its numbers.
        key: Names its record.
        words: What was typed.
    """

    row: RunRow
    key: str
    words: str


@dataclass(frozen=True)
class Sample:
    """Images and scores of one run, by which its method is shown.

    Args:
        run: The run.
        label_names: L names.
        real: Of each label some real images, ``(n, H, W, C)``.
        tuning: The same of tuning images.
        synthetic: The same of synthetic images.
        nearest: For each of ``synthetic``, the tuning image that it resembles most; empty where
            that is not known.
        similarity: How much, 1 for an equal image.
        legs: Scores of the legs; empty where there are none.
        versions: Of the programs that made it.
        missing: What could not be read, in words.
    """

    run: RunRow
    label_names: Sequence[str] = ()
    real: Sequence[Images] = ()
    tuning: Sequence[Images] = ()
    synthetic: Sequence[Images] = ()
    nearest: Sequence[Images] = ()
    similarity: Sequence[Sequence[float]] = ()
    legs: Mapping[str, Scores] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Content:
    """A report's content.

    Args:
        title: Its heading.
        command: What makes it again.
        comparison: Of all runs.
        runs: The finished ones.
        samples: One for each method and kind of settings.
        unfinished: Runs that were begun or planned and are not there.
        thesis: Whether the thesis's points are to be drawn too.
    """

    title: str
    command: str
    comparison: Comparison
    runs: Sequence[RecordedRun]
    samples: Sequence[Sample]
    unfinished: int = 0
    thesis: bool = False
