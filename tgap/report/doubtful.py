"""Images that a labeller was least sure of, with what it says of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tgap.types import Bools, Floats, Images

ROWS, COLUMNS = 2, 8
"""Of each of the two blocks."""


def draw_doubtful(
    images: Images,
    captions: Sequence[str],
    confidence: Floats,
    kept: Bools,
    floor: float,
    path: Path,
) -> None:
    """Draw the least sure of the images kept, and below them the surest of those left out.

    Args:
        images: ``(N, H, W, C)`` uint8, C = 1 or 3.
        captions: N texts.
        confidence: ``(N,)``.
        kept: ``(N,)`` bool.
        floor: That the kept ones reach.
        path: PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    order = np.argsort(confidence, kind="stable")
    blocks = {
        f"kept, the least sure (floor {floor:g})": order[kept[order]],
        "left out, the surest": order[~kept[order]][::-1],
    }
    figure = Figure(figsize=(1.6 * COLUMNS, 2 * 2 * ROWS), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    parts = np.asarray(figure.subfigures(2, 1))
    for part, (title, rows) in zip(parts, blocks.items(), strict=True):
        part.suptitle(title if len(rows) else f"{title}: none")
        for number, panel in enumerate(part.subplots(ROWS, COLUMNS).ravel()):
            panel.set_axis_off()
            if number < len(rows):
                row = rows[number]
                grey = images.shape[3] == 1
                shown = images[row, ..., 0] if grey else images[row]
                panel.imshow(shown, cmap="gray" if grey else None, vmin=0, vmax=255)
                panel.set_title(captions[row], fontsize=9, parse_math=False)
    # Without the version of matplotlib, which would change the bytes.
    figure.savefig(path, format="png", metadata={"Software": None})
