"""``tgap phantom``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tgap.cli.terminal import log_to_terminal


def phantom(words: Sequence[str]) -> int:
    """Write X-ray phantoms with the names, table, lists and folders of ChestX-ray14."""
    parser = argparse.ArgumentParser(prog="tgap phantom", description=phantom.__doc__)
    parser.add_argument("--images", type=int, required=True, help="how many; NIH has 112,120")
    parser.add_argument(
        "--size", type=int, required=True, help="height and width in pixels, at most 4096"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--textbook", action="store_true", help="typical figures without labels instead"
    )
    args = parser.parse_args(words)
    from tgap.datasets.phantoms.writing import write_nih, write_textbook

    log_to_terminal()
    if args.textbook:
        write_textbook(args.out, args.images, args.size, args.seed)
        print(
            f"{args.images:,} figures in {args.out / 'images'}; label them with: tgap label "
            f"--images {args.out / 'images'} --out DIR dataset=phantom_xray "
            f"dataset.size={args.size}"
        )
        return 0
    write_nih(args.out, args.images, args.size, args.seed)
    print(
        f"{args.images:,} phantoms in {args.out}; look at them with: tgap data "
        f"dataset=nih_chestxray14 dataset.path={args.out} dataset.size={args.size}"
    )
    return 0
