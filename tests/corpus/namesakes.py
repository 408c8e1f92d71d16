"""Images of one person or original that their names tell, and names that tell nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.making import grey, put

WORDS = ("dataset=image_folder", "dataset.domain=x")
PERSONS = "seem to be of"
GAPPY = [1, 2, 5, 9, 10, 14, 17, 23, 29, 30, 44, 45, 51, 60, 77, 80, 81, 88]
SCENES = [one + other for one in ("oak", "elm", "fir", "ash") for other in ("gate", "lane", "yard")]
VIDEOS = (
    "k3Zp-_8QxAe B_-aaQ1kLm2 xYzwVut-sRq _0aBcDeFgHi 9--Zz_a1B2c QQ_7-wErTyU "
    "pL0-okMijN_ _zaQ-xswCde vfR_bgtNhy- mju7-_kiLo9 aAbB-ccDd_e rT-y_ui8Op0"
).split()


def _named(root: Path, names: Callable[[int], list[str]], labels: str = "before after") -> None:
    for label, folder in enumerate(labels.split()):
        for number, name in enumerate(names(label)):
            put(root / folder / f"{name}.png", grey(label, number))


def _frames(label: int) -> list[str]:
    return [f"{video}_{31 * n + 7 * len(video)}" for video in VIDEOS[label::2] for n in range(4)]


def _tiles(name: str, label: int) -> list[str]:
    """Two tiles of each of two blocks of six cases."""
    return [
        name.format(case=1000 + case * 17, block=block, x=n * 512, y=(n * 5 + label) * 512)
        for case in range(6)
        for block in ("A3", "B1")
        for n in (label, label + 2)
    ]


CASES = (
    *(
        Case(
            name=f"the same names in both labels' folders, {how}",
            make=partial(_named, names=lambda _, its=its: its),
            words=WORDS,
            tells=(
                rf"{2 * len(its)} images seem to be of {len(its)} patients.*"
                r"patient_pattern='\(\[\^/\]\+\)\\\.\[\^/\.\]\+\$'",
            ),
        )
        for how, its in (
            ("numbers with gaps", [f"{n:02}" for n in GAPPY]),
            ("persons' numbers with gaps", [f"patient{n:02}" for n in GAPPY]),
            ("words", SCENES),
        )
    ),
    *(
        Case(
            name=f"the same names in both labels' folders, {how}, as counters have them",
            make=partial(_named, names=names),
            words=WORDS,
            untold=(PERSONS,),
        )
        for how, names in (
            ("consecutive", lambda _: [f"{n:02}" for n in range(1, 21)]),
            ("every tenth", lambda _: [f"frame{n:04}" for n in range(0, 200, 10)]),
            ("some removed", lambda k: [f"IMG{n:02}" for n in range(1, 30) if n % 9 != k]),
            ("in two stretches", lambda _: [f"{n}" for n in (*range(1, 11), *range(51, 61))]),
        )
    ),
    Case(
        name="frames of clips by their videos' names",
        make=partial(_named, names=_frames),
        words=WORDS,
        tells=(r"48 images seem to be of 12 patients.*pattern='\(\[\^/\]\+\)\[_-\]\\d\+",),
    ),
    Case(
        name="a pattern that leaves most images alone",
        make=partial(_named, names=_frames),
        words=(*WORDS, r"dataset.patient_pattern='([^/]+)\.'"),
        tells=(
            r"the pattern of dataset.patient_pattern leaves 48 images of 48 alone.*48 are of 12: "
            r"if so, set \"dataset.patient_pattern='\(\[\^/\]\+\)\[_-\]",
        ),
    ),
    Case(
        name="a pattern that groups images",
        make=partial(_named, names=_frames),
        words=(*WORDS, r"dataset.patient_pattern='([^/]+)_\d+\.'"),
        untold=("leaves .* alone", PERSONS),
    ),
    *(
        Case(
            name=f"tiles of blocks of cases, {name}",
            make=partial(_named, names=partial(_tiles, name), labels="stroma tumour"),
            words=WORDS,
            tells=(rf"48 images seem to be of {count} patients",),
        )
        for name, count in (
            ("S21-{case} {block} [x={x},y={y},w=512,h=512]", 6),
            ("TS-{case}{block} [{x},{y}]", 6),
            ("S21-{case}_{block}_x{x}_y{y}", 6),
        )
    ),
)
