"""``tgap phantom``: X-ray phantoms in files."""

from pathlib import Path

import click

from tgap.cli.overrides import PATH
from tgap.cli.terminal import log_to_terminal


@click.command
@click.option("--images", type=int, required=True, help="how many; NIH has 112,120")
@click.option("--size", type=int, required=True, help="height and width in pixels, 16 to 4096")
@click.option("--out", type=PATH, required=True, metavar="DIR", help="folder to make")
@click.option("--seed", type=int, default=0, help="draw of the phantoms")
@click.option("--textbook", is_flag=True, help="typical figures without labels instead")
def phantom(images: int, size: int, out: Path, seed: int, textbook: bool) -> int:
    """Draw X-ray phantoms in the layout of NIH's ChestX-ray14.

    They have the names, table, lists and folders of ChestX-ray14.
    """
    from tgap.datasets.phantoms.writing import write_nih, write_textbook

    log_to_terminal()
    if textbook:
        write_textbook(out, images, size, seed)
        print(
            f"{images:,} figures in {out / 'images'}; label them with: tgap label "
            f"--images {out / 'images'} --out DIR dataset=phantom_xray dataset.size={size}"
        )
        return 0
    write_nih(out, images, size, seed)
    print(
        f"{images:,} phantoms in {out}; look at them with: tgap data "
        f"dataset=nih_chestxray14 dataset.path={out} dataset.size={size}"
    )
    return 0
