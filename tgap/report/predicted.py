"""The table of ``tgap predict``: what was measured and what is predicted, and below it in words."""

import io
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tgap.analysis.predictions import Check, Of, Outlook, Over
from tgap.analysis.scaling import LEVEL, Law, Predicted, Prediction
from tgap.metrics.intervals import Interval
from tgap.report.headings import decimal, joined, label_at_size, label_of
from tgap.report.table import WIDTH, least_width, rich_table
from tgap.report.tables import ShownTable, Value, number, with_interval, words

COUNTED: Mapping[Over, str] = {
    "size": "size",
    "synthetic": "synthetic per label",
    "real": "real per label",
}
"""The heading over the numbers of images."""
QUANTITIES: Mapping[Of, str] = {"tstr": "TSTR", "utility_lost": "TRTR - TSTR"}
KINDS: Mapping[str, str] = {
    "mixed": "mixed with all synthetic",
    "pretrained": "after all synthetic",
    "synthetic": "parts of one set",
}
INTERVAL = (
    "Predicted: the mean of as many new seeds as the row has, with its 95 % interval, given the "
    "split and its test images, if the law goes on."
)


def table_of(outlooks: Sequence[Outlook]) -> ShownTable:
    """What was measured at each curve's largest size, that size predicted from the others, and what
    is predicted; its notes are ``sentences_of``.
    """
    first = outlooks[0]
    over, quantity = first.curve.over, QUANTITIES[first.curve.of]
    headings = {"method": True, COUNTED[over]: False, "seeds": False, "how": True, quantity: False}
    rows = [
        (
            words(_label(one, outlooks)),
            words(_number(one, size)),
            words(len(one.curve.seeds)),
            words(what),
            value,
        )
        for one in outlooks
        for size, what, value in _lines(one)
    ]
    return ShownTable("predicted", "Predicted", headings, rows, sentences_of(outlooks))


def _label(one: Outlook, outlooks: Sequence[Outlook]) -> str:
    groups = [other.curve.group for other in outlooks]
    named = label_of if one.curve.over == "size" else label_at_size
    label = named(one.curve.group, groups)
    return f"{label}, {KINDS[one.curve.kind]}" if one.curve.kind else label


def _number(one: Outlook, size: float) -> str:
    in_total = one.curve.over == "size" and one.curve.group.settings.get("size_unit") == "total"
    return f"{size:.0f} in total" if in_total else f"{size:.0f}"


def _lines(one: Outlook) -> Iterator[tuple[float, str, Value]]:
    """Size, what it is and its value, of each row of a curve."""
    if len(one.curve.sizes) and len(one.curve.seeds):
        largest = float(one.curve.sizes[-1])
        measured = float(one.curve.losses[:, -1].mean())
        yield largest, "measured", number(_shown(measured, one.curve.of))
    if one.cannot or one.prediction is None:
        return
    if one.check is not None:
        yield _predicted(one.check.predicted, "by the others", one.curve.of)
    for at in one.prediction.at:
        useless = one.prediction.is_useless(at)
        yield _predicted(at, "predicted (useless)" if useless else "predicted", one.curve.of)


def _predicted(at: Predicted, what: str, of: Of) -> tuple[float, str, Value]:
    return at.size, what, with_interval(interval_of(at, of))


def _shown(loss: float, of: Of) -> float:
    """A loss as its quantity: TSTR, or the loss itself."""
    return 1 - loss if of == "tstr" else loss


def interval_of(at: Predicted, of: Of) -> Interval:
    """A prediction as its quantity."""
    lo, hi = sorted(_shown(end, of) for end in (at.lo, at.hi))
    return Interval(_shown(at.estimate, of), lo, hi, math.nan, math.nan, 0)


# In words


def sentences_of(outlooks: Sequence[Outlook]) -> list[str]:
    """What must be read with the table, a line each."""
    predicted = [one for one in outlooks if not one.cannot]
    lines = [INTERVAL] if predicted else []
    for one in outlooks:
        lines += [f"{_label(one, outlooks)}: {sentence}." for sentence in _sentences(one)]
    return lines


def _sentences(one: Outlook) -> Iterator[str]:
    if one.cannot:
        yield f"cannot predict: {one.cannot}"
    elif one.prediction is not None:
        found = one.prediction
        yield _law(found.law, one.curve.of)
        yield _limit(found, one.curve.of)
        yield _check(one.check, one)
        if useless := [at.size for at in found.at if found.is_useless(at)]:
            yield (
                f"at {_sizes(useless)} the interval is wider than all of the loss at "
                f"{found.law.largest:.0f}, so it is of no use; more seeds or larger sizes narrow it"
            )
        yield f"a single run scatters by {decimal(found.scatter)} about such a mean"
    yield from one.told


def _law(law: Law, of: Of) -> str:
    loss = "1 - TSTR" if of == "tstr" else "TRTR - TSTR"
    if law.is_level:
        return f"{loss} = {decimal(law.floor)}, and more images change nothing"
    n = "n" if law.offset is None else f"(n + {law.offset:.3g})"
    text = f"{loss} = {decimal(law.floor)} + {_short(law.factor)} {n}^-{_short(law.exponent)}"
    if law.offset is not None:
        text += f", as if the synthetic images were {law.offset:.3g} real ones per label"
    return text


def _short(number: float) -> str:
    """``.239``, ``12.1``."""
    return re.sub(r"^0\.", ".", f"{number:.3g}")


def _limit(found: Prediction, of: Of) -> str:
    low, high = sorted(_shown(end, of) for end in found.floor)
    ends = f"{decimal(low)} to {decimal(high)}"
    if not found.knows_floor:
        return f"what endless images would reach is not identified: {ends} agree with the runs"
    limit = decimal(_shown(found.law.floor, of))
    return f"endless images would reach {limit} ({ends}), if the law goes on"


def _check(check: Check | None, one: Outlook) -> str:
    if check is None:
        left = len(one.curve.sizes) - 1
        return f"no check: without its largest size {left} sizes are left"
    measured, at = _shown(check.measured, one.curve.of), interval_of(check.predicted, one.curve.of)
    text = f"check: the others predict {decimal(at.estimate)} ({decimal(at.lo)} to "
    text += f"{decimal(at.hi)}) at {check.predicted.size:.0f}, {decimal(measured)} was measured, "
    if check.holds:
        return text + "inside"
    return text + "outside: the law does not go on as fitted, do not trust it further"


def _sizes(sizes: Sequence[float]) -> str:
    return joined(f"{size:.0f}" for size in sizes)


# Written


def plain(outlooks: Sequence[Outlook]) -> str:
    """Table and sentences as text, ``WIDTH`` columns wide or as wide as the numbers need."""
    from rich.console import Console

    table = table_of(outlooks)
    cells = [[value.lines for value in row] for row in table.rows]
    width = max(WIDTH, least_width(table.headings, cells))
    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    console.print(rich_table(table.headings, cells))
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    for note in table.notes:
        lines += textwrap.wrap(note, width, subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def as_json(outlooks: Sequence[Outlook]) -> str:
    """All numbers, as losses, in full precision; what is not known is ``null``."""
    return json.dumps([_json(one, outlooks) for one in outlooks], indent=1) + "\n"


def _json(one: Outlook, outlooks: Sequence[Outlook]) -> dict[str, Any]:
    curve, found = one.curve, one.prediction
    return {
        "method": _label(one, outlooks),
        "over": curve.over,
        "loss": curve.of,
        "sizes": curve.sizes.tolist(),
        "seeds": list(curve.seeds),
        "losses": curve.losses.tolist(),
        "cannot": one.cannot or None,
        "told": list(one.told),
        "law": None if found is None else _law_json(found),
        "predicted": [] if found is None or one.cannot else [vars(at) for at in found.at],
        "check": None
        if one.check is None
        else vars(one.check.predicted)
        | {"measured": one.check.measured, "inside": one.check.holds},
        "level": LEVEL,
    }


def _law_json(found: Prediction) -> dict[str, Any]:
    law = found.law
    return {
        "floor": law.floor,
        "floor_lo": found.floor[0],
        "floor_hi": found.floor[1],
        "floor_identified": found.knows_floor,
        "factor": law.factor,
        "exponent": law.exponent,
        "offset": law.offset,
        "scatter": found.scatter,
        "misfit_p": None if math.isnan(found.misfit) else found.misfit,
    }
