"""Figures as PNG files; the same input gives the same bytes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tgap.core import Bools, ContractError, Doubles, Images, Scores
from tgap.metrics.classification import auroc
from tgap.metrics.gap import CHANCE
from tgap.metrics.legs import LEGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import ImageFont

Rows = Sequence[Mapping[str, Any]]


# Okabe & Ito's colours, told apart by colour-blind readers; dashes for those who print in grey.
STYLES = {
    "tstr": ("#D55E00", "-"),
    "trts": ("#0072B2", "--"),
    "trtr": ("#009E73", "-."),
    "tsts": ("#CC79A7", ":"),
}
TRAINING_STYLES = {  # real and synthetic as TRTR and TSTR have them
    "real": ("#009E73", "-.", "real alone"),
    "mixed": ("#56B4E9", "--", "real and synthetic mixed"),
    "pretrained": ("#E69F00", "-", "synthetic, then real"),
    "synthetic": ("#D55E00", ":", "synthetic alone"),
}

GAP, BETWEEN_LABELS = 2, 10
"""Pixels between images of a grid."""

ROWS, COLUMNS = 2, 8
"""Doubtful images of either kind."""


# Grids of images


def image_grid(
    images: Images,
    labels: Bools,
    label_names: Sequence[str],
    path: Path,
    columns: int = 16,
    rows: int = 4,
    tile: int = 64,
) -> None:
    """Draw the first images of each label, with the label's name beside them.

    Args:
        images: ``(N, H, W, C)`` uint8, C = 1 or 3.
        labels: ``(N, L)`` bool; an image with two labels is drawn with both.
        label_names: L names.
        path: PNG file to write.
        columns: Images in a row.
        rows: At most so many rows per label.
        tile: About how many pixels wide an image is drawn; it is enlarged or reduced by a whole
            factor, so that pixels stay what they are where they can.

    Raises:
        ContractError: If shapes disagree or there is no image.
    """
    if len(images) == 0 or labels.shape != (len(images), len(label_names)):
        raise ContractError(
            f"there must be images, and labels ({len(images)}, {len(label_names)}); "
            f"got {len(images)} images and labels {labels.shape}"
        )
    blocks = [
        _block(
            [_resized(image, tile) for image in images[labels[:, label]][: rows * columns]],
            columns,
            _resized(images[0], tile).shape,
        )
        for label in range(len(label_names))
    ]
    _stacked(blocks, label_names).save(path, format="PNG")


def _resized(image: Images, tile: int) -> Images:
    """``(H, W, C)`` enlarged or reduced by a whole factor to about ``tile`` pixels of width."""
    from PIL import Image

    width = image.shape[1]
    if width <= tile:
        factor = round(tile / width)
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    reduced = np.asarray(picture.reduce(round(width / tile)))
    return reduced[..., None] if image.shape[2] == 1 else reduced


def _block(images: Sequence[Images], columns: int, shape: tuple[int, ...]) -> Images:
    """Images in rows on white, ``(h, w, 3)``; one empty row if there are none."""
    height, width = shape[0] + GAP, shape[1] + GAP
    down = max(1, -(-len(images) // columns))
    block = np.full((down * height - GAP, columns * width - GAP, 3), 255, np.uint8)
    for position, image in enumerate(images):
        top, left = position // columns * height, position % columns * width
        block[top : top + shape[0], left : left + shape[1]] = image
    return block


def _stacked(blocks: Sequence[Images], names: Sequence[str]) -> Any:
    """Blocks below each other, names in the margin on the left."""
    from PIL import Image, ImageDraw

    font = _font(16)
    margin = round(max(font.getlength(name) for name in names)) + 16
    height = sum(len(block) + BETWEEN_LABELS for block in blocks) + BETWEEN_LABELS
    canvas = Image.new("RGB", (margin + blocks[0].shape[1] + BETWEEN_LABELS, height), "white")
    draw = ImageDraw.Draw(canvas)
    top = BETWEEN_LABELS
    for block, name in zip(blocks, names, strict=True):
        draw.text((margin - 8, top + len(block) / 2), name, "black", font, anchor="rm")
        canvas.paste(Image.fromarray(block), (margin, top))
        top += len(block) + BETWEEN_LABELS
    return canvas


def _font(size: int) -> "ImageFont.FreeTypeFont":
    """The font that comes with matplotlib: the same on every machine."""
    import matplotlib
    from PIL import ImageFont

    folder = Path(matplotlib.get_data_path())
    return ImageFont.truetype(str(folder / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def draw_doubtful(
    images: Images,
    captions: Sequence[str],
    confidence: Doubles,
    kept: Bools,
    threshold: float,
    path: Path,
) -> None:
    """Draw the least sure of the images kept, and below them the surest of those left out.

    Args:
        images: ``(N, H, W, C)`` uint8, C = 1 or 3.
        captions: N texts.
        confidence: ``(N,)``.
        kept: ``(N,)`` bool.
        threshold: Score that the kept ones reach.
        path: PNG file to write.
    """
    order = np.argsort(confidence, kind="stable")
    blocks = {
        f"kept, the least sure (threshold {threshold:g})": order[kept[order]],
        "left out, the surest": order[~kept[order]][::-1],
    }
    figure = _figure(1.6 * COLUMNS, 2 * 2 * ROWS)
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
    _save(figure, path)


# Curves


def roc_curves(legs: Mapping[str, Scores], path: Path) -> None:
    """Draw the four evaluations' ROC curves, a panel per label, with their AUROC.

    Args:
        legs: Scores and truth of each of ``LEGS``, with the same labels.
        path: PNG file to write.
    """
    label_names = legs[LEGS[0]].label_names
    across = min(4, len(label_names))
    down = -(-len(label_names) // across)
    figure = _figure(4 * across, 4.2 * down)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel in panels[len(label_names) :]:
        panel.set_axis_off()
    for label, name in enumerate(label_names):
        _roc_panel(panels[label], legs, label, name)
    _save(figure, path)


def _roc_panel(panel: "Axes", legs: Mapping[str, Scores], label: int, name: str) -> None:
    from sklearn.metrics import roc_curve

    panel.plot([0, 1], [0, 1], color="0.8", linewidth=1, zorder=0)
    for leg in LEGS:
        scores, truth = legs[leg].scores[:, label], legs[leg].labels[:, label]
        colour, dashes = STYLES[leg]
        area = auroc(scores, truth)
        fpr, tpr, text = np.zeros(0), np.zeros(0), f"{leg.upper()} n/a"
        if not np.isnan(area):  # without positives or negatives there is no curve
            fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
            text = f"{leg.upper()} {area:.3f}"
        panel.plot(fpr, tpr, color=colour, linestyle=dashes, linewidth=1.8, label=text)
    panel.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
        xlabel="false positive rate",
        ylabel="true positive rate",
    )
    panel.set_title(name, parse_math=False)
    panel.legend(loc="lower right", title="AUROC", frameon=False)


def augmentation_curves(rows: Rows, path: Path) -> None:
    """Draw macro AUROC on real_test against the numbers of real and of synthetic images.

    Args:
        rows: The table ``curves``: ``trained_on``, ``real_per_label``, ``synthetic_per_label``,
            ``auroc``, and ``lo`` and ``hi`` where there are intervals, which are shaded; an AUROC
            that is not known (NaN or null) has no point.
        path: PNG file to write.

    Raises:
        ContractError: If there is no row, or one that was trained on something else.
    """
    unknown = sorted({row["trained_on"] for row in rows} - TRAINING_STYLES.keys())
    if not rows or unknown:
        raise ContractError(
            f"curves need rows trained on {', '.join(TRAINING_STYLES)}; "
            f"got {', '.join(unknown) or 'no rows'}"
        )
    figure = _figure(9, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    for kind in TRAINING_STYLES:
        side = "synthetic" if kind == "synthetic" else "real"
        points = [
            tuple(row.get(name) for name in (f"{side}_per_label", "auroc", "lo", "hi"))
            for row in rows
            if row["trained_on"] == kind
        ]
        if points:
            _curve(right if side == "synthetic" else left, kind, sorted(points))
            if kind == "synthetic":  # what it reaches without any real image
                _level(left, kind, max(points)[1])
    left.set(ylabel="macro AUROC on real images")
    for panel, side in ((left, "real"), (right, "synthetic")):
        numbers = sorted({row[f"{side}_per_label"] for row in rows} - {0})
        panel.set(xscale="log", xlabel=f"{side} training images per label")
        panel.set_xticks(numbers, [str(n) for n in numbers])
        panel.minorticks_off()
        panel.set_xlim(min(numbers) / 1.2, max(numbers) * 1.2)
        panel.axhline(CHANCE, color="0.8", linewidth=1, zorder=0)
        panel.legend(loc="lower right", frameon=False)
    _save(figure, path)


def _curve(panel: "Axes", kind: str, points: Sequence[tuple[float | None, ...]]) -> None:
    """Points of a number of images, an AUROC and the ends of its interval."""
    colour, dashes, text = TRAINING_STYLES[kind]
    numbers, aurocs, lo, hi = np.array(points, dtype=np.float64).T
    panel.fill_between(numbers, lo, hi, color=colour, alpha=0.12, linewidth=0)
    panel.plot(
        numbers,
        aurocs,
        color=colour,
        linestyle=dashes,
        linewidth=1.8,
        marker="o",
        markersize=4,
        label=text,
    )


def _level(panel: "Axes", kind: str, auroc: float | None) -> None:
    """A line at one height, for a training that does not depend on the panel's number."""
    colour, dashes, text = TRAINING_STYLES[kind]
    height = np.nan if auroc is None else auroc
    panel.axhline(height, color=colour, linestyle=dashes, linewidth=1.4, label=text)


CURVES = frozenset({"trained_on", "real_per_label", "synthetic_per_label", "auroc"})
DRAWINGS: dict[str, tuple[frozenset[str], Callable[[Rows, Path], None]]] = {
    "curves": (CURVES, augmentation_curves)
}
"""How an evaluation's table is drawn, by its name and the columns that it must have."""


def draw_tables(tables: Mapping[str, Rows], folder: Path) -> None:
    """Draw an evaluation's tables into a folder, as ``{name}.png``.

    Only those that there is a drawing for, by their name: ``DRAWINGS``.
    """
    for name in tables.keys() & DRAWINGS.keys():
        columns, draw = DRAWINGS[name]
        if all(
            columns <= row.keys() for row in tables[name]
        ):  # another evaluator's may be so named
            draw(tables[name], folder / f"{name}.png")


def _figure(width: float, height: float) -> "Figure":
    """Without pyplot, which would keep it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    # Without the version of matplotlib, which would change the bytes.
    figure.savefig(path, format="png", metadata={"Software": None})
