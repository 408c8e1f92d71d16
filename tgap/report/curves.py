"""The curves of ``augmentation`` as a PNG file; the same rows give the same bytes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.errors import ContractError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[Mapping[str, Any]]

# Okabe & Ito's colours; real and synthetic as the legs TRTR and TSTR have them.
STYLES = {
    "real": ("#009E73", "-.", "real alone"),
    "mixed": ("#56B4E9", "--", "real and synthetic mixed"),
    "pretrained": ("#E69F00", "-", "synthetic, then real"),
    "synthetic": ("#D55E00", ":", "synthetic alone"),
}


def augmentation_curves(rows: Rows, path: Path) -> None:
    """Draw macro AUROC on real_test against the numbers of real and of synthetic images.

    Args:
        rows: The table ``curves``: ``arm``, ``real_per_label``, ``synthetic_per_label``,
            ``auroc``; an AUROC that is not known (NaN or null) has no point.
        path: PNG file to write.

    Raises:
        ContractError: If there is no row, or one of an arm that is not known.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    unknown = sorted({row["arm"] for row in rows} - STYLES.keys())
    if not rows or unknown:
        raise ContractError(
            f"curves need rows of the arms {', '.join(STYLES)}; "
            f"got {', '.join(unknown) or 'no rows'}"
        )
    figure = Figure(figsize=(9, 4.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    for arm in STYLES:
        side = "synthetic" if arm == "synthetic" else "real"
        points = [(row[f"{side}_per_label"], row["auroc"]) for row in rows if row["arm"] == arm]
        if points:
            _curve(right if side == "synthetic" else left, arm, sorted(points))
            if arm == "synthetic":  # what it reaches without any real image
                _level(left, arm, max(points)[1])
    left.set(ylabel="macro AUROC on real images")
    for panel, side in ((left, "real"), (right, "synthetic")):
        numbers = sorted({row[f"{side}_per_label"] for row in rows} - {0})
        panel.set(xscale="log", xlabel=f"{side} training images per label")
        panel.set_xticks(numbers, [str(n) for n in numbers])
        panel.minorticks_off()
        panel.set_xlim(min(numbers) / 1.2, max(numbers) * 1.2)
        panel.axhline(0.5, color="0.8", linewidth=1, zorder=0)
        panel.legend(loc="lower right", frameon=False)
    # Without the version of matplotlib, which would change the bytes.
    figure.savefig(path, format="png", metadata={"Software": None})


def _curve(panel: "Axes", arm: str, points: Sequence[tuple[int, float | None]]) -> None:
    colour, dashes, text = STYLES[arm]
    numbers, aurocs = np.array(points, dtype=np.float64).T
    panel.plot(
        numbers, aurocs, color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=4,
        label=text,
    )  # fmt: skip


def _level(panel: "Axes", arm: str, auroc: float | None) -> None:
    """A line at one height, for an arm that does not depend on the panel's number."""
    colour, dashes, text = STYLES[arm]
    panel.axhline(
        np.nan if auroc is None else auroc, color=colour, linestyle=dashes, linewidth=1.4,
        label=text,
    )  # fmt: skip
