"""Runs beside the numbers that the thesis reports, and what keeps the two apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tgap.analysis.groups import NAMED_IF_ASKED, RunGroup
from tgap.analysis.published import Published
from tgap.metrics.intervals import Interval

OURS: Mapping[str, str] = {
    "none": "no_fine_tune",
    "random+dreambooth": "random",
    "pixel_spectral+dreambooth": "pixel_spectral",
    "clip_spectral+dreambooth": "clip_spectral",
    "clip_spectral+active_dreambooth": "active",
}
"""Methods as tgap's tables call them, and as the thesis's table does."""
TEXTBOOK = "textbook"

DATA = ("nih_chestxray14", "nih_512")
"""What ``dataset.class`` is where the images are ChestX-ray14's."""
DATA_OF_BOOK = "tgap.datasets.nih_chestxray14."
"""The beginning of ``dataset.real.class`` where a textbook stands beside ChestX-ray14."""
GENERATORS = "stable_diffusion"
"""The beginning of ``generator.class`` where the model is a Stable Diffusion."""
PROTOCOL = "thesis"
GUIDANCE = 7.5
"""The thesis does not say its own; this is that of diffusers' pipeline when nothing is said."""


@dataclass(frozen=True)
class Matched:
    """One number of ours and the thesis's.

    Args:
        group: Our runs.
        theirs: What the thesis reports; it has no interval.
        ours: Mean over seeds with its interval, where it has one.
        apart: What keeps the two from being compared, in words; empty if nothing.
    """

    group: RunGroup
    theirs: Published
    ours: Interval
    apart: tuple[str, ...]

    @property
    def difference(self) -> Interval:
        """Ours minus theirs; its interval is that of ours alone, as if theirs were exact."""
        at = self.theirs.value
        one = self.ours
        return replace(one, estimate=one.estimate - at, lo=one.lo - at, hi=one.hi - at)


def beside(groups: Sequence[RunGroup], published: Sequence[Published]) -> tuple[Matched, ...]:
    """Each number that both have, by group; controls, which the thesis has none of, are left out.

    Sizes and what they count must be the same. A size of which the thesis does not say what it
    counts goes with one per label, the textbook's (about 500 per label) with any.

    Args:
        groups: Ours, averaged over what ``published`` has.
        published: Of the thesis.
    """
    return tuple(
        Matched(group, one, group.numbers[one.metric], apart_from_thesis(group))
        for group in groups
        if group.seeds and not group.is_control
        for one in published
        if _is_of(group, one) and not _is_unknown(group, one.metric)
    )


def method_of(group: RunGroup) -> str | None:
    """What the thesis calls a group's method; ``None`` if it has none like it."""
    label = _plain_label(group)
    if label.startswith("whole+dreambooth"):
        is_book = group.settings.get("dataset.class") == TEXTBOOK
        return TEXTBOOK if is_book and label == "whole+dreambooth" else None
    return OURS.get(label)


def apart_from_thesis(group: RunGroup) -> tuple[str, ...]:
    """What keeps a group's numbers from being compared with the thesis's, in words."""
    settings = group.settings
    data, generator = _data(group), settings.get("generator.class", "")
    protocol, guidance = settings.get("protocol.class", ""), settings.get("sampler.guidance", "")
    further = ", ".join(f"{n} {settings[n]}" for n in NAMED_IF_ASKED if n in settings)
    changed = group.method.removeprefix(_plain_label(group)).partition(" #")[0].strip(" ()")
    reasons = [
        (data in DATA, f"other images: {data}, not ChestX-ray14"),
        (generator.startswith(GENERATORS), f"another model: generator {generator}"),
        (protocol == PROTOCOL, f"another split: protocol {protocol}, not {PROTOCOL}"),
        (
            _same_number(guidance, GUIDANCE),
            f"guidance {guidance}, not {GUIDANCE} (the thesis names none; that is the default of "
            "the pipeline)",
        ),
        (not further, f"drawn otherwise: {further}"),
        (not changed, f"the method was changed: {changed}"),
    ]
    return tuple(text for holds, text in reasons if not holds)


def _data(group: RunGroup) -> str:
    """The dataset that classifiers train and test on: beside a textbook, the real one."""
    name = group.settings.get("dataset.class", "")
    if name != TEXTBOOK:
        return name
    of_book = group.settings.get("dataset.real.class", "")
    return DATA[0] if of_book.startswith(DATA_OF_BOOK) else of_book.rpartition(".")[2]


def _plain_label(group: RunGroup) -> str:
    """A method's label without settings that the command line changed, and without its key."""
    return group.method.partition(" ")[0]


def _is_of(group: RunGroup, one: Published) -> bool:
    """Whether a number of the thesis is of a group's method, at its size."""
    if method_of(group) != one.method:
        return False
    if one.method == TEXTBOOK or group.size is None:
        return True
    unit = "label" if one.unit == "not_said" else one.unit
    return group.size == one.size and group.settings.get("size_unit") == unit


def _is_unknown(group: RunGroup, metric: str) -> bool:
    number = group.numbers.get(metric)
    return number is None or number.estimate != number.estimate


def _same_number(text: str, number: float) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False
