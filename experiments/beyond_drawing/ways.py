"""Recorded runs by the way in which their sets were drawn or learnt from, beside the plain way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.contrasts import Contrast, differences
from tgap.analysis.groups import RunGroup, group_runs, varied
from tgap.analysis.rows import RunRow
from tgap.core import ConfigError
from tgap.metrics.significance import FEWEST_SEEDS

TSTR, TRTS, FTER, GAP = "tstr/auroc", "trts/auroc", "fter", "t_gap"
COVERAGE, COPIED = "fidelity/coverage", "memorization/copied_fraction"
PASSES, KEPT, LOOKS = "cost/draw_passes", "diversity/images", "cost/judge_passes"
LABELS = "cost/labelled_real"
FURTHER = (COVERAGE, COPIED, PASSES, KEPT, LOOKS, LABELS)
GUIDANCE, HIGH, SCHEDULER = "sampler.guidance", "sampler.guidance_high", "sampler.scheduler"
SILENT = ("sampler.guide_dropout", "sampler.early", "budget.equal", GUIDANCE, HIGH)
"""Settings that are told otherwise, or follow from another."""
USUAL = "dpm_solver"
"""The scheduler of ways that say nothing of theirs."""
ORIGINALS = "tuning_images"
"""Trained on as they are, instead of a synthetic set."""


@dataclass(frozen=True)
class Way:
    """One way, at one size.

    Args:
        name: In words; empty = plain.
        guidance: A number, or a range; ``-`` where nothing is drawn.
        group: Its runs.
    """

    name: str
    guidance: str
    group: RunGroup

    @property
    def size(self) -> int:
        """Tuning images."""
        return self.group.size or 0

    def mean(self, metric: str) -> float:
        """Over seeds."""
        return self.group.numbers[metric].estimate

    @property
    def passes(self) -> float:
        """Of the denoiser, for each image that is kept."""
        return self.mean(PASSES) / self.mean(KEPT)


def ways(rows: Sequence[RunRow], further: Sequence[str] = FURTHER) -> list[Way]:
    """All ways that were run with seeds enough to compare them.

    Args:
        rows: Of one world.
        further: Metrics that are averaged beside those of every table.

    Returns:
        By size, name and guidance; none if no way has seeds enough.

    Raises:
        ConfigError: If no run is plain.
    """
    groups = [group for group in group_runs(rows, (), further) if len(group.seeds) >= FEWEST_SEEDS]
    if not groups:
        return []
    plain = min((group.method for group in groups if not group.is_control), key=len, default="")
    usual = [group for group in groups if group.method == plain]
    names = [name for name in varied(groups) if name not in SILENT]
    common = {name: _most_common(usual, name) for name in names}
    found = [Way(_name(group, plain, common), _guidance(group), group) for group in groups]
    if not any(map(_is_plain, found)):
        raise ConfigError("no run is plain; run the first command of README.md")
    return sorted(found, key=lambda way: (way.size, way.name, way.guidance))


def _most_common(groups: Sequence[RunGroup], name: str) -> str | None:
    values = [group.settings.get(name) for group in groups]
    return max(values, key=values.count)


def _name(group: RunGroup, plain: str, common: Mapping[str, str | None]) -> str:
    if group.is_control:
        return ORIGINALS if group.method.endswith("copy_tuning_set") else group.method
    said = group.method.removeprefix(plain).strip("+ ")
    own = [
        f"{name.rpartition('.')[2]}={group.settings[name]}"
        for name, usual in common.items()
        if name in group.settings and group.settings[name] != usual
    ]
    return " ".join([said, *own]).strip()


def _guidance(group: RunGroup) -> str:
    low, high = group.settings.get(GUIDANCE), group.settings.get(HIGH)
    if low is None or group.is_control:
        return "-"
    return f"{float(low):g}" + (f" to {float(high):g}" if high else "")


def beside_plain(found: Sequence[Way]) -> list[Contrast | None]:
    """TSTR of each way minus that of the plain way of as much, p adjusted by Holm over all."""
    plains = [plain_of(way, found) for way in found]
    pairs = [(w.group, p.group) for w, p in zip(found, plains, strict=True) if p is not None]
    contrasts = iter(differences(pairs, (TSTR,)))
    return [None if plain is None else next(contrasts) for plain in plains]


def plain_of(way: Way, found: Sequence[Way]) -> Way | None:
    """The plain way of the same size, guidance and scheduler; ``None`` of one that is plain.

    A range of guidance is compared with the best single number that was run.
    """
    if _is_plain(way):
        return None
    plains = [
        other
        for other in found
        if _is_plain(other) and other.size == way.size and scheduler(other) == scheduler(way)
    ]
    if HIGH not in way.group.settings:
        plains = [other for other in plains if other.guidance == way.guidance]
    return max(plains, key=lambda plain: plain.mean(TSTR), default=None)


def scheduler(way: Way) -> str:
    """What it draws by."""
    return way.group.settings.get(SCHEDULER, USUAL)


def _is_plain(way: Way) -> bool:
    """Also with another scheduler, by which others are drawn."""
    named = way.name.split()
    if HIGH in way.group.settings:
        return False
    return not named or (len(named) == 1 and named[0].startswith("scheduler="))


UNGUIDED, GUIDED = ("train_per_label=900", "rejection", "variation"), ("", "3")
"""Ways without guidance that are held against a plain set with it: three times as many images to
train on, which takes nearly as many passes, and a judge and variation, which take fewer; guidance
takes two for each step."""
FIFTH = 0.2
TWINS = (
    ("rejection", "random_rejection"),
    ("rejection", "train_per_label=900"),
    ("best_of", "train_per_label=900"),
    ("value_based", "train_per_label=900"),
    ("variation", "train_per_label=900"),
    ("variation", "rejection"),
    ("variation", ORIGINALS),
)
"""A way, and one of as much work or more that lacks its reason; of ``variation`` also what it
begins with, and the way that won before it was run."""


def beside_twins(found: Sequence[Way]) -> Iterator[tuple[Way, Way, Contrast]]:
    """TSTR of ways minus that of their twins; one family.

    Twins have the same size and guidance; but what a judge's labels are held against is the best
    plain way that tunes on as many images as the way and its judge have labelled ones.
    """
    pairs = [
        (way, other)
        for first, second in TWINS
        for way in found
        for other in found
        if way.name.startswith(first)
        and second == _but_for_scheduler(other)
        and way.size == other.size
        and (second == ORIGINALS or way.guidance == other.guidance)
        and (second == ORIGINALS or scheduler(way) == scheduler(other))
    ]
    pairs += [
        (way, max(plains, key=lambda plain: plain.mean(TSTR)))
        for way in found
        if (plains := [other for other in found if as_labelled(way, other)])
    ]
    pairs += [
        (way, other)
        for way in found
        for other in found
        if way.name in UNGUIDED and way.guidance == "1"
        if (other.name, other.guidance) == GUIDED
        if way.size == other.size
    ]
    contrasts = differences([(one.group, other.group) for one, other in pairs], (TSTR,))
    for (one, other), contrast in zip(pairs, contrasts, strict=True):
        yield one, other, contrast


def _but_for_scheduler(way: Way) -> str:
    return " ".join(word for word in way.name.split() if word != f"scheduler={scheduler(way)}")


def as_labelled(way: Way, plain: Way) -> bool:
    """Whether a plain way tunes on some fifth more or fewer images than a way knows labels of."""
    if plain.name or HIGH in plain.group.settings or way.name.startswith("random"):
        return False  # labels of random rejection decide nothing
    return abs(plain.size / (way.size + way.mean(LABELS)) - 1) < FIFTH
