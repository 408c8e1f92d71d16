"""An order of methods without labels, as tables and sentences."""

import math

from tgap.analysis.groups import RunGroup
from tgap.analysis.ranking import FEWEST, OUTSIDE, SIMULATION, TSTR, Placed, Ranking
from tgap.metrics.intervals import Interval
from tgap.report.headings import decimal, joined, label_at_size, label_of, size_of
from tgap.report.tables import ShownTable, Value, as_markdown, number, with_interval, words

TITLE = "Methods, ordered without labels"
HEADINGS = {
    "place": False,
    "method": True,
    "size": False,
    "seeds": False,
    "ood": False,
    "rank by ood": False,
    "simulation": False,
    "rank by simulation": False,
    "unsafe": False,
    "TSTR": False,
}
READ = (
    "ood: AUROC of telling real from synthetic test images by the classifier's strangeness, .5 is "
    "best. simulation: cross-entropy on synthetic test images, 0 is best. The order is by the mean "
    "of both ranks; TSTR has no part in it."
)
LAST = "unsafe: seeds whose scores mean nothing; a method with more than half of them comes last."
AGREEMENT = "Agreement with TSTR (Kendall's tau; 95 % by resampling seeds within methods)"


def as_table(ranking: Ranking) -> ShownTable:
    """A row for each method, the best first."""
    groups = [one.group for one in ranking.placed]
    rows = [_row(one, ranking, groups) for one in ranking.placed]
    return ShownTable("ranking", TITLE, HEADINGS, rows, _notes(ranking))


def _row(one: Placed, ranking: Ranking, groups: list[RunGroup]) -> list[Value]:
    tied = sum(other.place == one.place for other in ranking.placed) > 1
    outside, simulation, tstr = (one.group.numbers[n] for n in (OUTSIDE, SIMULATION, TSTR))
    ranks = [number(rank, f"{rank:g}") for rank in (one.outside, one.simulation)]
    return [
        number(one.place, f"{one.place}=" if tied else str(one.place)),
        words(label_of(one.group, groups)),
        words(size_of(one.group)),
        number(len(one.group.seeds), str(len(one.group.seeds))),
        number(outside.estimate),
        ranks[0],
        number(simulation.estimate),
        ranks[1],
        words(f"{one.unsafe} of {len(one.group.seeds)}" if one.unsafe else "-"),
        number(tstr.estimate),
    ]


def _notes(ranking: Ranking) -> list[str]:
    notes = [READ]
    if any(one.unsafe for one in ranking.placed):
        notes.append(LAST)
    if len({one.place for one in ranking.placed}) < len(ranking.placed):
        notes.append("=: these tie; nothing here says which is better.")
    if ranking.left_out:
        names = [label_at_size(one, ranking.left_out) for one in ranking.left_out]
        notes.append(f"Not judged by unlabelled images, and left out: {joined(names)}.")
    return notes


def text_of(ranking: Ranking) -> str:
    """The table in Markdown, and how well the order agrees with TSTR."""
    return f"{as_markdown(as_table(ranking))}\n{_agreement(ranking)}\n"


def _agreement(ranking: Ranking) -> str:
    if not ranking.agreements:
        return (
            f"TSTR is known of fewer than {FEWEST} of these methods: how well the order agrees "
            "with it is not told, since an order of so few may be chance."
        )
    rows = [
        [
            words(one.order),
            with_interval(_interval(one.tau, one.lo, one.hi), "+"),
            words(one.methods),
        ]
        for one in ranking.agreements
    ]
    chance = f"-{decimal(ranking.chance)} to +{decimal(ranking.chance)}"
    rows.append([words("chance (19 in 20 orders)"), words(chance), words("")])
    table = ShownTable(
        "agreement", AGREEMENT, {"order": True, "tau": False, "methods": False}, rows
    )
    notes = []
    if math.isnan(ranking.agreements[0].lo):
        notes.append("No interval: a method has fewer than 3 seeds.")
    if any(one.order in ("coverage alone", "KID alone") for one in ranking.agreements):
        notes.append("Coverage and KID are of real_test's images.")
    return f"{AGREEMENT}\n\n{as_markdown(table).rstrip()}\n" + "".join(f"\n{n}" for n in notes)


def _interval(value: float, lo: float, hi: float) -> Interval:
    return Interval(value, lo, hi, math.nan, math.nan, 0)
