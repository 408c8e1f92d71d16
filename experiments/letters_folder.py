"""Draws a folder of letter images with a table, for trying ``dataset=image_folder``.

python -m experiments.letters_folder OUT
"""

import argparse
import csv
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from experiments.tiny_models.letters import FONTS

SIZE = 48
LETTERS = "abdefghjmnqrty"  # whose capitals look different in every font
FORMATS = ("grey", "deep", "palette", "alpha", "jpeg")


def draw(letter: str, font: str, rng: np.random.Generator) -> tuple[Image.Image, dict[str, float]]:
    """A letter at a random place, size, angle and grey level, and these numbers."""
    pixels, level = int(rng.integers(18, 34)), int(rng.integers(120, 256))
    angle = round(float(rng.uniform(-25, 25)), 1)
    path = Path(matplotlib.get_data_path()) / "fonts/ttf" / f"{font}.ttf"
    image = Image.new("L", (2 * SIZE, 2 * SIZE), int(rng.integers(0, 40)))
    ImageDraw.Draw(image).text(
        (SIZE, SIZE), letter, level, ImageFont.truetype(str(path), 2 * pixels), anchor="mm"
    )
    place = tuple(rng.integers(-12, 13, 2).tolist())
    turned = image.rotate(
        angle, Image.Resampling.BICUBIC, translate=place, fillcolor=image.getpixel((0, 0))
    )
    drawn = turned.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return drawn, {"pixels": pixels, "angle": angle, "grey": level}


def save(image: Image.Image, kind: str, stem: Path) -> Path:
    """Write an image as one of ``FORMATS``."""
    file = stem.with_suffix(".jpg" if kind == "jpeg" else ".png")
    if kind == "deep":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    elif kind in ("palette", "alpha"):
        image = image.convert("P" if kind == "palette" else "RGBA")
    image.save(file, **({"quality": 95} if kind == "jpeg" else {}))
    return file


def main(words: list[str] | None = None) -> None:
    """Draw each letter and its capital in each font, ``--each`` times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make; must not exist")
    parser.add_argument("--each", type=int, default=5, help="images per letter and font")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(words)
    rng = np.random.default_rng(args.seed)
    args.out.mkdir(parents=True)
    rows = []
    for font, style in FONTS.items():
        family = font.partition("-")[0].removesuffix("BolIta").removesuffix("Bol")
        family = family.removesuffix("Italic")
        (args.out / font).mkdir()
        for letter in LETTERS + LETTERS.upper():
            label = "upper" if letter.isupper() else "lower"
            for number in range(args.each):
                image, drawn = draw(letter, font, rng)
                kind = FORMATS[int(rng.choice(len(FORMATS), p=[0.6, 0.1, 0.1, 0.1, 0.1]))]
                file = save(image, kind, args.out / font / f"{label}_{letter.lower()}{number}")
                rows.append(
                    {
                        "file": file.relative_to(args.out).as_posix(),
                        "label": label,
                        "findings": letter,
                        "patient": family,
                        "bold": int("bold" in style),
                        **drawn,
                    }
                )
    with (args.out / "metadata.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} images in {args.out}")
    print(
        f"try: tgap run dataset=image_folder dataset.path={args.out} dataset.table=metadata.csv "
        "dataset.findings_column=findings dataset.patient_column=patient dataset.size=32 "
        "dataset.domain='printed letter'"
    )


if __name__ == "__main__":
    main()
