"""A sweep's table: a row per method, size and settings, and in words below it what differs."""

import io
import math
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tgap.analysis.comparison import Comparison, SizeEffect, own_settings
from tgap.analysis.contrasts import Contrast, apart
from tgap.analysis.groups import NAMED, RunGroup, varied
from tgap.analysis.readings import COPIED, TUNING_KNOWN, unknown_copies
from tgap.analysis.splits import listed, short
from tgap.metrics.few_errors import ENOUGH_PATIENTS
from tgap.metrics.intervals import LEAST_FREEDOM, Interval
from tgap.metrics.legs import REAL, SCALES
from tgap.metrics.significance import FEWEST_SEEDS, LEVEL, in_words, p_text
from tgap.report.over_splits import over_splits

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

T = TypeVar("T")

COLUMNS = {
    "TSTR": "tstr/auroc",
    "TRTS": "trts/auroc",
    "TRTR": "trtr/auroc",
    "FTER": "fter",
    "T-Gap": "t_gap",
}
"""Metrics shown, by heading; others where a run has them (``columns_of``)."""
OPTIONAL = {"Copied": COPIED, "Coverage": "fidelity/coverage"}
TRAINED = "train_images/synthetic"
WIDTH = 100
LEAST_TEXT = 22
"""Columns of a method's name, below which the table is rather divided than names folded."""
AT_MOST = 4
"""Settings, or pairs, that one sentence names."""
NEVER_ACROSS = ("dataset.", "external.", "classifier.")
"""Settings with other numbers altogether, across which no comparison is offered."""


def columns_of(groups: Sequence[RunGroup], asked: Sequence[str] = ()) -> dict[str, str]:
    """Metrics to show, by heading: ``COLUMNS``, test sets, ``OPTIONAL`` ones, and asked ones."""
    names = sorted({name for group in groups for name in group.numbers})
    matches = [re.fullmatch(r"external/(.+)/(tstr|trtr)/auroc", name) for name in names]
    external = {f"{m[2].upper()} {m[1]}": m[0] for m in matches if m is not None}
    shown = COLUMNS | external | {h: name for h, name in OPTIONAL.items() if name in names}
    return shown | {name: name for name in asked if name not in shown.values()}


def plain(comparison: Comparison, width: int | None = None) -> str:
    """The table as text without colour codes, at most ``width`` columns wide.

    By default ``WIDTH``, and more where numbers need more; long names are folded.
    """
    from rich.console import Console

    width = width or max(WIDTH, _least_width(*_layout(comparison)))
    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    _print(comparison, console)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def render(comparison: Comparison, console: "Console") -> None:
    """Print the table: as wide as a terminal is, ``WIDTH`` columns elsewhere."""
    if console.is_terminal:
        _print(comparison, console)
    else:
        text = plain(comparison)
        console.print(text, end="", markup=False, highlight=False, soft_wrap=True)


def markdown(comparison: Comparison) -> str:
    """The table in Markdown."""
    headings, cells = _layout(comparison)
    right = ["---" if is_text else "---:" for is_text in headings.values()]
    flat = [[" ".join(cell).replace("|", "\\|") for cell in row] for row in cells]
    table = ["| " + " | ".join(line) + " |" for line in (headings, right, *flat)]
    blocks = [table, [f"{note}  " for note in _notes(comparison.groups)]]
    for title, sentences in _findings(comparison).items():
        blocks += [[title], [f"- {sentence}" for sentence in sentences]]
    escaped = [[line.replace("*", "\\*") for line in block] for block in blocks]
    return "\n\n".join("\n".join(block) for block in escaped) + "\n"


Cell = tuple[str, ...]
"""Its lines."""


def _layout(comparison: Comparison) -> tuple[dict[str, bool], list[list[Cell]]]:
    """Headings (and whether they are over text), and cells."""
    groups = comparison.groups
    settings, columns = _varied(groups), columns_of(groups, comparison.asked.metrics)
    headings = dict.fromkeys(["method", *settings.values()], True)
    several = [kind for kind in ("folds", "splits") if any(_averages(g) == kind for g in groups)]
    headings |= dict.fromkeys(["size", "seeds", *several, *columns], False)
    cells = [
        [
            (group.method,),
            *((group.settings.get(name, "-"),) for name in settings),
            (_size(group),),
            _of_all(list(group.seeds), group.missing, _listed)
            + (("(one set)",) if group.one_set else ()),
            *(
                _of_all(group.splits, group.missing_splits, listed)
                if kind == _averages(group)
                else ("1" if group.seeds else "0",)
                for kind in several
            ),
            *(_cell(group, name) for name in columns.values()),
        ]
        for group in groups
    ]
    return headings, cells


def _varied(groups: Sequence[RunGroup]) -> dict[str, str]:
    """Settings in which groups differ, with their headings."""
    names = {name: short(name) for name in varied(groups)}
    every = [*names.values(), "method", "size", "seeds", "folds", "splits", *COLUMNS]
    return {name: s if every.count(s) == 1 else name for name, s in names.items()}


def _size(group: RunGroup) -> str:
    if group.size is None:
        return "-"
    in_total = group.settings.get("size_unit") == "total"
    return f"{group.size} in total" if in_total else str(group.size)


def _averages(group: RunGroup) -> str:
    """What a seed's numbers are, or ought to be, means over: ``folds``, ``splits`` or nothing."""
    if len(group.splits) + len(group.missing_splits) < 2:
        return ""
    return "splits" if group.shares else "folds"


def _of_all(there: Sequence[T], missing: Sequence[T], words: Callable[[Sequence[T]], str]) -> Cell:
    """How many there are, and which are missing."""
    if not missing:
        return (str(len(there)),)
    return f"{len(there)} of {len(there) + len(missing)}", f"(missing {words(missing)})"


def _cell(group: RunGroup, name: str) -> Cell:
    number = group.numbers[name]
    known = group.numbers.get(TUNING_KNOWN)
    if name == COPIED and known is not None and unknown_copies(number.estimate, known.estimate):
        return ("not known",)
    if math.isnan(number.estimate):
        return ("n/a",)
    mark = "*" if name == "fter" and not group.fter_meaningful else ""
    if math.isnan(number.lo):
        return (_decimal(number.estimate) + mark,)
    return _decimal(number.estimate) + mark, _range(number)


def _decimal(value: float, sign: str = "") -> str:
    """``.948``, ``-.012``, ``1.002``; with ``sign="+"`` also ``+.012``."""
    return re.sub(r"^([+-]?)0\.", r"\1.", f"{value:{sign}z.3f}")


def _range(number: Interval, sign: str = "") -> str:
    ends = [_decimal(end, sign) for end in (number.lo, number.hi)]
    return (" to " if sign or number.lo < 0 else "-").join(ends)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _notes(groups: Sequence[RunGroup]) -> list[str]:
    named = []
    for title, name in NAMED.items():
        values = [g.settings.get(name, "not recorded") for g in groups if g.has_setting(name)]
        if values or not groups:
            named.append(f"{title} {_listed(dict.fromkeys(values or ['not recorded']))}")
    notes = [
        "; ".join(named),
        "TSTR, TRTS, TRTR: macro AUROC. FTER = TSTR / TRTS, T-Gap = TRTS - TSTR.",
    ]
    notes += _means(groups)
    shown = [group.numbers[name] for group in groups for name in COLUMNS.values()]
    if any(math.isnan(number.lo) and not math.isnan(number.estimate) for number in shown):
        notes.append(
            "No interval where none is justified: fewer than two test images or patients of a "
            "label (synthetic images that are the same count as one), equal scores, a seed not "
            "resampled."
        )
    fewest = min((group.effective[REAL] for group in groups if group.seeds), default=math.inf)
    if fewest < ENOUGH_PATIENTS:
        notes.append(
            f"Few test images: {math.floor(fewest)} independent ones of the rarer label; about "
            f"{ENOUGH_PATIENTS:.0f} would tell an AUROC of .8 to within .1."
        )
    repeated = [f"{_listed(g.repeated)} of {_at(g, groups)}" for g in groups if g.repeated]
    if repeated:
        notes.append(f"Seeds with the scores of another seed count once: {'; '.join(repeated)}.")
    if len({group.seeds for group in groups}) > 1:
        notes.append("Rows differ in their seeds, so their means are no paired comparison.")
    notes += [
        f"Collapsed: {leg.upper()} of {_at(group, groups)}, {_collapsed(group, leg)}. Intervals of "
        "few seeds do not hold what collapses do to a mean."
        for group in groups
        for leg in group.collapsed
    ]
    notes += _unequal_numbers(groups)
    if not all(group.fter_meaningful for group in groups):
        notes.append("* TSTR or TRTS is near or below chance (0.5): FTER means nothing there.")
    return notes


def _unequal_numbers(groups: Sequence[RunGroup]) -> list[str]:
    """That rows are trained on different numbers of images, which sets made elsewhere may be."""
    ready = [group for group in groups if "generator.class" not in group.settings]
    known = [(g, g.numbers[TRAINED].estimate) for g in ready if TRAINED in g.numbers]
    numbers = [number for _, number in known if not math.isnan(number)]
    if not numbers or min(numbers) >= 0.9 * max(numbers):
        return []
    told = _listed(f"{_label(g, groups)} {number:,.0f}" for g, number in known)
    return [f"Rows differ in how many synthetic images train: {told}."]


def _means(groups: Sequence[RunGroup]) -> list[str]:
    """What the numbers are means over, and what their intervals are of."""
    counts = {len(group.seeds) for group in groups if not group.one_set}
    kinds, notes = {_averages(group) for group in groups}, []
    folded = "folds" in kinds
    if max(counts, default=0) > 1:
        drawn = [group for group in groups if not group.one_set]
        seeds = _listed(sorted({seed for group in drawn for seed in group.seeds}))
        of = "t over seeds, bootstrap of patients), given the split: another real_train or pool is "
        of += "not in them."
        if folded:
            of = "t over seeds and folds), for other tuning and training images as far as folds "
            of += "differ in these."
        elif "splits" in kinds:
            of = "t over seeds and splits)."
        notes.append(
            f"Means over seeds ({seeds}), a draw of the synthetic set each; 95 % intervals for new "
            f"seeds and test images ({of}"
        )
    notes += over_splits(groups)
    if averaged := [_label(group, groups) for group in groups if group.averaged]:
        notes.append(
            f"Seeds that train on one synthetic set are averaged and count once: "
            f"{_listed(averaged)}."
        )
    if trained := [_label(group, groups) for group in groups if group.one_set]:
        notes.append(
            f"Seeds of {_listed(trained)} are trainings on one synthetic set: the 95 % interval is "
            "for new trainings and test images; another set of the same generator may lie outside."
        )
    if 1 in counts:
        of = "new test images (t over folds)" if folded else "the test images only"
        of = "new splits and test images" if kinds == {"splits"} else of
        notes.append(f"One seed: the 95 % interval is of {of}; another seed may lie outside.")
    if folded:
        notes.append("Numbers are of AUROCs averaged over folds (docs/few_images.md).")
    few = [g for g in groups if 1 < len(g.splits) <= LEAST_FREEDOM and not g.shares]
    if any(math.isnan(group.numbers[name].lo) for group in few for name in COLUMNS.values()):
        notes.append(
            f"Fewer than {LEAST_FREEDOM + 1} folds bear an interval of AUROCs near 1 only."
        )
    if any(group.missing_splits for group in groups):
        notes.append("Where folds are missing, not all images were tested: no mean over the whole.")
    return notes


def _collapsed(group: RunGroup, leg: str) -> str:
    """Seeds that learnt next to nothing, and what the others make of the mean."""
    values = group.values(f"{leg}/auroc")
    low = group.collapsed[leg]
    seeds = ", ".join(f"{_decimal(value)} (seed {seed})" for seed, value in low.items())
    middle, mean = statistics.median(values.values()), statistics.fmean(values.values())
    return (
        f"{seeds} beside {_decimal(max(values.values()))} at best; median {_decimal(middle)}, "
        f"mean {_decimal(mean)}"
    )


def _findings(comparison: Comparison) -> dict[str, list[str]]:
    """Sentences on what differs, by their title."""
    groups, asked = comparison.groups, comparison.asked
    of = _listed(_heading(name) for name in asked.of)
    to = f" to {asked.reference}" if asked.reference else ""
    how = "paired by seed (95 % interval of each alone; its p adjusted for all)"
    across = f", across {_listed(asked.across)}" if asked.across else ""
    titled = {
        f"Difference of {of}{to}, {how}{across}:": [
            _pair(pair, comparison) for pair in comparison.pairs
        ],
        "Not compared:": _not_compared(comparison),
        f"{of} over sizes, {how}:": [_over_sizes(one, comparison) for one in comparison.over_sizes],
        "FTER between sizes, paired by seed, on these test images (TOST, each alone):": [
            _size_effect(effect, groups) for effect in comparison.size_effects
        ],
    }
    return {title: sentences for title, sentences in titled.items() if sentences}


def _heading(name: str) -> str:
    return next((heading for heading, of in COLUMNS.items() if of == name), name)


def _of(metric: str, asked: Sequence[str]) -> str:
    """The metric that a sentence is of, where its title names several."""
    return f"{_heading(metric)} of " if len(asked) > 1 else ""


def _pair(pair: Contrast, comparison: Comparison) -> str:
    first, second, groups = pair.first, pair.second, comparison.groups
    sizes = dict.fromkeys(_size(group) for group in (first, second) if group.size is not None)
    size = f" at {' and '.join(sizes)}" if sizes else ""
    about = f"{_label(first, groups)} - {_label(second, groups)}{size}: "
    one_set = [group for group in (first, second) if group.one_set]
    if one_set:
        return (
            f"{about}not compared: the seeds of {' and '.join(_label(g, groups) for g in one_set)} "
            "train on one synthetic set, so how far other draws of its generator differ is not "
            "known; evaluate several of them (--synthetic A B C, or --draws)"
        )
    return _of(pair.metric, comparison.asked.of) + about + _found(pair, "differ", "difference")


def _over_sizes(trend: Contrast, comparison: Comparison) -> str:
    label = _of(trend.metric, comparison.asked.of) + _label(trend.first, comparison.groups)
    sizes = [_size(group) for group in trend.groups]
    if trend.weights == (1.0, -1.0):
        return f"{label}, {' - '.join(sizes)}: {_found(trend, 'differ', 'difference')}"
    verb = "rises" if trend.difference.estimate > 0 else "falls"
    return f"{label} at {_listed(sizes)}, per doubling: {_found(trend, verb, 'trend')}"


def _found(one: Contrast, verb: str, noun: str) -> str:
    """The difference or slope with its interval, and what it shows."""
    if not one.seeds:
        shared = set.intersection(*(set(group.seeds) for group in one.groups))
        what = "split" if one.first.shares else "fold"
        return f"no {what if shared else 'seed'} in common"
    if math.isnan(one.difference.estimate):
        return f"{_heading(one.metric)} is not defined for every seed"
    difference = _decimal(one.difference.estimate, "+")
    if not math.isnan(one.difference.lo):
        difference += f" ({_range(one.difference, '+')})"
    if one.collapsed:
        difference += f", median {_decimal(one.median, '+')} (collapsed: seed "
        difference += f"{_listed(one.collapsed)})"
    where = "" if one.metric in SCALES else "on these test images"
    words = in_words(one.p_value, len(one.seeds), one.comparisons, where, verb, noun)
    folds = f"; not in both: {listed(one.missing_splits)}" if one.missing_splits else ""
    of = "both" if len(one.groups) == 2 else "all"
    return f"{difference}; {words}{_left_out(one.missing, of)}{folds}"


def _not_compared(comparison: Comparison) -> list[str]:
    """Groups without a partner, by what keeps them apart."""
    groups, by_reason = comparison.groups, dict[tuple[str, ...], list[tuple[str, str]]]()
    for a, b in comparison.not_compared:
        names = apart(a, b, comparison.asked.across)
        values = {n: [one.settings.get(n, "none") for one in (a, b)] for n in names if n != "size"}
        reason = [f"{name} ({'; '.join(both)})" for name, both in values.items()]
        reason = [*_first(reason, ", "), *(["size"] if "size" in names else [])]
        few = len(names) <= AT_MOST and "size" not in names
        few = few and not any(name.startswith(NEVER_ACROSS) for name in names)
        remedy = f"; tgap compare --across {','.join(names)} does" if few else ""
        by_reason.setdefault((", ".join(reason), remedy), []).append(
            (_at(a, groups), _at(b, groups))
        )
    sentences = [
        f"{_first([f'{a} and {b}' for a, b in pairs], '; ')[0]}: they differ in {reason}{remedy}"
        for (reason, remedy), pairs in by_reason.items()
    ]
    more = len(sentences) - 2 * AT_MOST
    return sentences if more <= 0 else [*sentences[: 2 * AT_MOST], f"and {more} more such reasons"]


def _first(words: Sequence[str], between: str) -> list[str]:
    """A few joined, and how many more there are; nothing of nothing."""
    more = f" and {len(words) - AT_MOST} more" if len(words) > AT_MOST else ""
    return [between.join(words[:AT_MOST]) + more] if words else []


def _at(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    return _label(group, groups) + (f" at {_size(group)}" if group.size is not None else "")


def _size_effect(effect: SizeEffect, groups: Sequence[RunGroup]) -> str:
    first = effect.groups[0]
    about = f"{_label(first, groups)} at {_listed([_size(group) for group in effect.groups])}: "
    margin = f"within {_decimal(effect.margin)}"
    if not all(group.fter_meaningful for group in effect.groups):
        finding = "FTER means nothing at one of the sizes"
    elif len(effect.seeds) < FEWEST_SEEDS:
        finding = f"a test needs {FEWEST_SEEDS} seeds in common, got {len(effect.seeds)}"
    elif math.isnan(effect.p_value):
        finding = "no test: FTER is not defined for every seed, or its difference does not vary"
    else:
        shown = "equal" if effect.p_value <= LEVEL else "not shown to be equal"
        finding = f"{shown} {margin}: {p_text(effect.p_value)} ({len(effect.seeds)} seeds)"
    return about + finding + _left_out(effect.missing, "all")


def _label(group: RunGroup, groups: Sequence[RunGroup]) -> str:
    settings = _listed(own_settings(group, groups))
    return f"{group.method} ({settings})" if settings else group.method


def _left_out(missing: Sequence[int], of: str) -> str:
    return f"; not in {of}: seed {_listed(missing)}" if missing else ""


def _print(comparison: Comparison, console: "Console") -> None:
    for headings, cells in _fitting(comparison, console.width):
        console.print(_table(headings, cells), "", sep="\n", soft_wrap=False)
    lines = _notes(comparison.groups)
    for title, sentences in _findings(comparison).items():
        lines += ["", title, *(f"  {sentence}" for sentence in sentences)]
    for line in lines:
        console.print(line, style="dim", markup=False, highlight=False, soft_wrap=False)


def _fitting(comparison: Comparison, width: int) -> list[tuple[dict[str, bool], list[list[Cell]]]]:
    """The table, or where it is too wide several ones, each with the columns that name a row."""
    headings, cells = _layout(comparison)
    metrics = len(columns_of(comparison.groups, comparison.asked.metrics))
    naming = list(range(len(headings) - metrics))
    parts = [naming]
    for column in range(len(naming), len(headings)):
        fits = _least_width(*_columns(headings, cells, [*parts[-1], column])) <= width
        if fits or parts[-1] == naming:
            parts[-1] = [*parts[-1], column]
        else:
            parts.append([*naming, column])
    return [_columns(headings, cells, part) for part in parts]


def _columns(
    headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]], chosen: Sequence[int]
) -> tuple[dict[str, bool], list[list[Cell]]]:
    """Some columns of a table."""
    items = list(headings.items())
    return dict(items[i] for i in chosen), [[row[i] for i in chosen] for row in cells]


def _least_width(headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]]) -> int:
    """How wide a table is at least, with its texts folded."""
    from rich.console import Console

    wide = Console(width=1000)
    return wide.measure(_table(headings, cells), options=wide.options).minimum


def _table(headings: Mapping[str, bool], cells: Sequence[Sequence[Cell]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column, (heading, is_text) in enumerate(headings.items()):
        # Numbers stay whole; if the table is too wide, long names are folded.
        longest = max((len(line) for row in cells for line in row[column]), default=0)
        least = (
            min(max(len(heading), longest), LEAST_TEXT) if is_text else max(len(heading), longest)
        )
        table.add_column(
            Text(heading),
            justify="left" if is_text else "right",
            overflow="fold",
            no_wrap=not is_text,
            min_width=min(least, LEAST_TEXT) if is_text else least,
        )
    for row in cells:
        table.add_row(*(Text("\n".join(cell)) for cell in row))
    return table
