"""How people lay out their folders."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from tests.corpus.case import Case
from tests.corpus.making import grey, put, put_folders
from tgap.core import ImageSet


def put_each(root: Path, counts: Mapping[str, int], name: str = "{}.png") -> None:
    """So many images in each folder, no two the same."""
    for label, (folder, count) in enumerate(counts.items()):
        for number in range(count):
            put(root / folder / name.format(number), grey(label, number))


def _cats_and_dogs(data: ImageSet) -> None:
    assert data.label_names == ("cat", "dog")
    assert data.images.shape == (60, 32, 32, 1)
    assert np.array_equal(data.labels.sum(axis=0), [30, 30])


def put_parts(root: Path, **others: int) -> None:
    """A split as Kaggle has it, and other folders beside its parts."""
    counts = {"train": 30, "test": 12, "val": 3}
    folders = {f"{part}/{x}": n for part, n in counts.items() for x in ("NORMAL", "PNEUMONIA")}
    put_each(root, {**folders, **others}, "{}.jpeg")


def _masked_files(root: Path) -> None:
    put_each(root, {"benign": 8, "malignant": 8}, "x ({}).png")
    put_each(root, {"benign": 8}, "x ({})_mask.png")
    put_each(root, {"benign": 1}, "x ({})_mask_1.png")


def put_beside(root: Path, *names: str) -> None:
    """Nine images of two labels, and others of the same that are called so."""
    for name in ("IM_{}.png", *names):
        put_each(root, {"cat": 9, "dog": 9}, name)


def _left_out(root: Path) -> None:
    """Twelve HEIC files and three broken ones, all but one of a label's."""
    put_folders(root)
    (root / "README.txt").write_text("cats and dogs")
    for number in range(11):
        (root / "dog" / f"p{number}.heic").write_bytes(b"ftypheic")
    for number in range(3):
        (root / "cat" / f"b{number}.png").write_bytes(b"\x89PNG")


def _numbers_and_names(root: Path) -> None:
    put_folders(root, ("0", "1"), count=10)
    (root / "classes.txt").write_text("0 melanoma\n1 nevus\n")


def _yolo(root: Path) -> None:
    put_each(root, {"images/train": 6, "images/val": 6})
    for part in ("train", "val"):
        (root / "labels" / part).mkdir(parents=True)
        for n in range(6):
            (root / "labels" / part / f"{n}.txt").write_text("0 .5 .5 .2 .2\n")


def _lesions(root: Path) -> None:
    for label in ("benign", "malignant"):
        for n in range(9):
            put_each(root, {f"{label}/X{n}/X{n}_Image": 1}, f"X{n}.png")
            put_each(root, {f"{label}/X{n}/X{n}_lesion": 1}, f"X{n}_lesion.png")


def _prefixed_label(root: Path) -> None:
    put_each(root, {"cat": 9}, "cat_{}.png")
    put_each(root, {"dog": 9})


def _latin_1(root: Path) -> None:
    put_folders(root, count=3)
    (root / "cat").rename(root / b"gr\xf6\xdfe".decode("utf-8", "surrogateescape"))


def _line_end(root: Path) -> None:
    put_folders(root, count=3)
    (root / "cat" / "1.png").rename(root / "cat" / "1\n.png")


def _litter(root: Path) -> None:
    put_folders(root, count=10)
    put_each(root, {"__MACOSX/cat": 2, "cat/@eaDir/1.png": 2})
    (root / "cat" / "Thumbs.db").write_bytes(b"x")


def counts(**expected: int) -> Callable[[ImageSet], None]:
    """Asserts labels, and how many images each has."""

    def check(data: ImageSet) -> None:
        assert data.label_counts() == expected

    return check


def untold(data: ImageSet) -> None:
    """Nothing was told while the images were read."""
    assert "warned" not in data.notes


def _tested_on_test(data: ImageSet) -> None:
    assert data.label_counts() == {"NORMAL": 45, "PNEUMONIA": 45}
    assert data.official_test is not None
    files = data.metadata["file"][data.official_test]
    assert len(files) == 24
    assert np.char.startswith(files, "test/").all()


def _slides(root: Path, deep: bool = False) -> None:
    """As BreakHis has them: six slides of each type, of which two are of one patient."""
    number = 0
    for label, kinds in enumerate((("A", "F", "PT"), ("LC", "MC", "PC"))):
        for kind, slide in product(kinds, range(6)):
            slide_id = f"14-{9000 + 1000 * label + 211 * kinds.index(kind) + 17 * slide}"
            slide_id = (
                "14-10000" if (kind, slide) == ("MC", 0) else f"{slide_id}{'AB' * (slide % 2)}"
            )
            for enlarged, image in product((40, 100, 200, 400), (1, 2)):
                folder = root / ("benign", "malignant")[label]
                stem = f"SOB_{'BM'[label]}_{kind}"
                if deep:
                    folder = folder / "SOB" / kind / f"{stem}_{slide_id}" / f"{enlarged}X"
                name = f"{stem}-{slide_id}-{enlarged}-{image + 2 * (kind == 'MC'):03}.png"
                put(folder / name, grey(label, number))
                number += 1


def _sides(root: Path, name: str, flipped: str = "", folder: str = "{side}") -> None:
    """Both eyes of thirty persons; perhaps each again, mirrored, as one of the other side."""
    for person, (number, side) in product(range(30), enumerate(("left", "right"))):
        grade, other = (person + number) % 3, ("right", "left")[number]
        words = {"n": person, "side": side, "s": side[0].upper(), "grade": grade}
        picture = grey(number, person)
        put(root / folder.format(**words) / f"{name.format(**words)}.png", picture)
        if flipped:
            put(root / other / f"{flipped.format(**words)}.png", picture[:, ::-1])


def _channels(root: Path, *channels: str) -> None:
    """Slices of each patient in several channels, as BraTS has them."""
    for n, channel, cut in product(range(12), channels, range(60, 63)):
        name = f"BraTS20_Training_{n:03}"
        number = 10 * n + cut + 1000 * channels.index(channel)
        put(
            root / ("HGG", "LGG")[n % 2] / name / f"{name}_{channel}_{cut}.png", grey(n % 2, number)
        )


SLIDES = r"(?:^|/)(?:[A-Za-z_-]*[_-])?(\d+[_-][^/_-]*\d[^/_-]*)[_-][^/]*$"


def _thirty_five(data: ImageSet) -> None:
    assert len(np.unique(data.patients)) == 35
    assert data.patient_names is not None
    assert {"14-10000", "14-9017AB"} <= set(data.patient_names.tolist())


WORDS = ("dataset=image_folder", "dataset.domain=x")
AUGMENTED = {
    "Original Images/cat": 9,
    "Original Images/dog": 9,
    "Augmented Images/cat_augmented": 18,
    "Augmented Images/dog_augmented": 18,
}


def _dragged(root: Path, every: int) -> None:
    """Names that say a class in other words, some of them in the other folder."""
    for n in range(48):
        folder = ("benign", "malignant")[n % 2 != (n % every == every - 1)]
        put(root / folder / f"{9000 + n}_class{n % 2}.png", grey(n % 2, n))


def _cropped(root: Path) -> None:
    for label in (0, 1):
        for n in range(8):
            folder = root / ("flat", "round")[label]
            put(folder / f"{n + 1:03d}.bmp", grey(label, n))
            for k in range(3):
                put(folder / "CROPPED" / f"{n + 1:03d}_{k:02d}.bmp", grey(label, 50 * n + k + 50))


def _oct(root: Path) -> None:
    for n in range(48):
        label = ("CNV", "DRUSEN")[n % 2]
        put(root / label / f"{label}-{n // 4 * 7919 + 22652}-{n // 2 % 2}.png", grey(n % 2, n))


def _barcodes(root: Path) -> None:
    for n in range(72):
        name = f"TCGA-A6-{4000 + n // 6}-01Z-00-DX{n % 6 // 3 + 1}_{512 * n}_{n % 3}.png"
        put(root / ("MSI", "MSS")[n // 6 % 2] / name, grey(n // 6 % 2, n))


CASES = (
    Case(
        name="files left out of one label",
        make=_left_out,
        words=("dataset=image_folder", "dataset.bad_files=exclude"),
        tells=(
            r"Look at this first[^$]*\n- 12 files that are no images by their names are left "
            r"out .*: README.txt, dog/p0.heic, .*; 11 of these 12 are of label dog\.\n[^$]*60 im",
            r"\n- 3 of 63 image files [^$]*\nall 3 are of label cat\n[^$]*cat/b0.png: [^$]*60 im",
            r"(?s)^(?!.*other files: 12)(?!.*excluded: )",
        ),
        read=_cats_and_dogs,
    ),
    Case(
        name="a folder per label",
        make=put_folders,
        words=("dataset=image_folder", "dataset.domain=pet"),
        tells=("label cat +30", "label dog +30"),
        read=_cats_and_dogs,
        runs=True,
    ),
    Case(
        name="parts of a split above the labels",
        make=put_parts,
        words=WORDS,
        tells=(
            r"parts of a split \(test 24, train 60, val 6\): labels are the folders below",
            "official_split=true keeps test/",
            "parts: test 24; train 60; val 6",
            "label NORMAL +45",
        ),
        read=counts(NORMAL=45, PNEUMONIA=45),
    ),
    Case(
        name="parts of a split, the test part kept",
        make=put_parts,
        words=(*WORDS, "dataset.official_split=true"),
        tells=("all +90 +50 +16 +24",),
        read=_tested_on_test,
    ),
    Case(
        name="parts of a split as labels",
        make=put_parts,
        words=(*WORDS, "dataset.label_level=1"),
        read=counts(test=24, train=60, val=6),
    ),
    Case(
        name="a copy beside the parts of a split",
        make=partial(put_parts, chest_xray=2),
        words=WORDS,
        refused=True,
        tells=("beside them lies chest_xray; .*dataset.exclude=", "label_level=1"),
    ),
    Case(
        name="a test part without labels",
        make=partial(put_each, counts={"train/cat": 3, "train/dog": 3, "test": 4}),
        words=WORDS,
        refused=True,
        tells=(r"no label's folder: test \(4 images\); leave it out by dataset.exclude=\[test\]",),
    ),
    Case(
        name="a test part without labels, left out",
        make=partial(put_each, counts={"train/cat": 9, "train/dog": 9, "test": 4}),
        words=(*WORDS, "dataset.exclude=[test]"),
        read=counts(cat=9, dog=9),
    ),
    Case(
        name="parts of a split and no labels",
        make=partial(put_each, counts={"train": 3, "test": 3}),
        words=WORDS,
        refused=True,
        tells=("name a table of labels by dataset.table, or set dataset.labelled=false",),
    ),
    Case(
        name="the folder above",
        make=partial(put_each, counts={"data/cat": 3, "data/dog": 3}),
        words=WORDS,
        refused=True,
        tells=("the only folder is data, .* cat, dog; .* let dataset.path end with /data",),
    ),
    Case(
        name="hospitals above the labels",
        make=partial(put_each, counts={"a/cat": 9, "a/dog": 9, "b/cat": 9, "b/dog": 9}),
        words=WORDS,
        refused=True,
        tells=("for a, b: dataset.label_level=1; for cat, dog: dataset.label_level=2",),
    ),
    Case(
        name="hospitals above the labels, as said",
        make=partial(put_each, counts={"a/cat": 9, "a/dog": 9, "b/cat": 9, "b/dog": 9}),
        words=(*WORDS, "dataset.label_level=2"),
        read=counts(cat=18, dog=18),
    ),
    Case(
        name="kinds of pictures above the labels, which are called after them",
        make=partial(put_each, counts=AUGMENTED),
        words=WORDS,
        refused=True,
        tells=(
            "for Augmented Images, Original Images: dataset.label_level=1; for cat, cat_augmented, "
            "dog, dog_augmented: dataset.label_level=2 .then rename them",
        ),
    ),
    Case(
        name="kinds of pictures as labels, above others",
        make=partial(put_each, counts=AUGMENTED),
        words=(*WORDS, "dataset.label_level=1"),
        untold=(r"seem to be of \d patients",),
        read=counts(**{"Augmented Images": 36, "Original Images": 18}),
    ),
    Case(
        name="folds above parts of a split above labels",
        make=partial(
            put_each,
            counts={
                f"fold_{k}/{part}/{label}": 4
                for k in (1, 2)
                for part in ("train", "val")
                for label in ("cat", "dog")
            },
        ),
        words=WORDS,
        refused=True,
        tells=(r"fold_1, fold_2 hold parts of a split \(train, val\).*dataset.label_level=3",),
    ),
    Case(
        name="folders with one folder each above the labels",
        make=partial(put_each, counts={f"slides/breast/{x}/SOB": 9 for x in ("cat", "dog")}),
        words=WORDS,
        refused=True,
        tells=(
            "all images lie below slides/breast, and the folders there are cat, dog; .*level=3",
        ),
    ),
    Case(
        name="patients below the labels, called after them",
        make=partial(
            put_each,
            counts={f"{x}/{n + k}_{x}": 3 for k, x in ((0, "cat"), (7, "dog")) for n in range(5)},
        ),
        words=WORDS,
        tells=("30 images seem to be of 10 patients",),
        read=counts(cat=15, dog=15),
    ),
    Case(
        name="patients below the labels",
        make=partial(put_each, counts={f"{x}/{x}{n}": 3 for x in ("cat", "dog") for n in range(5)}),
        words=WORDS,
        tells=(
            r"30 images seem to be of 10 patients .*patient_pattern='\[\^/\]\+/\(\[\^/\]\+\)/'",
        ),
        read=counts(cat=15, dog=15),
    ),
    Case(
        name="files dragged into another label's folder",
        make=partial(_dragged, every=8),
        words=WORDS,
        tells=(
            r"- A word of the paths goes with one label .*, but in 6 of 48 images: "
            r"benign/9007_class1.png \(benign\)",
        ),
    ),
    Case(
        name="files in their label's folder",
        make=partial(_dragged, every=99),
        words=WORDS,
        untold=("paths goes", "paths seem to name"),
    ),
    Case(
        name="whole fields and crops below them",
        make=_cropped,
        words=WORDS,
        tells=(
            "- 48 of 64 images seem to be cut from others in the folder above.*exclude=.CROPPED.",
            r"64 images seem to be of 8 patients or originals, by their paths \('001' has 8",
        ),
    ),
    Case(
        name="the label before the patient in names",
        make=_oct,
        words=WORDS,
        tells=(r"48 images seem to be of 12 patients.*pattern='\(\?:\^\|/\)\[A-Za-z_-\]\*\?\(",),
    ),
    Case(
        name="barcodes",
        make=_barcodes,
        words=WORDS,
        tells=(r"72 images seem to be of 12 patients.*patient_pattern='\(TCGA-",),
    ),
    Case(
        name="barcodes of slides",
        make=_barcodes,
        words=(*WORDS, r"dataset.patient_pattern='/(TCGA.*DX\d)_'"),
        tells=(r"24 patients are called alike but for a last part .*without it there are 12",),
    ),
    *(
        Case(
            name=f"slides behind a type and a year{', in folders of each' * deep}",
            make=partial(_slides, deep=deep),
            words=WORDS,
            tells=(
                r"288 images seem to be of 35 patients .*'14-10000' has 16.*"
                rf"patient_pattern='{re.escape(SLIDES)}'",
            ),
        )
        for deep in (False, True)
    ),
    *(
        Case(
            name=f"both eyes of a person, {how}",
            make=partial(_sides, name=name, **others),
            words=WORDS,
            tells=(r"\d+ images seem to be of 30 patients.*patient_pattern=", tell),
            untold=("seem to name another label", "goes with one label"),
        )
        for how, name, others, tell in (
            ("sides as labels", "{n:03}", {}, r"pattern='\(\[\^/\]\+\)"),
            ("sides as labels and in names", "{n:03}_{side}", {}, r"left\|right"),
            (
                "mirrored as the other side",
                "{n:03}_{side}",
                {"flipped": "{n:03}_{side}_flip"},
                r"flip\|flipped",
            ),
            ("grades as labels", "{n:03}{s}", {"folder": "{grade}"}, r"\(\?<=\\d\)\(\?:l\|r"),
        )
    ),
    Case(
        name="masks among channels",
        make=lambda root: _channels(root, "flair", "t1", "seg"),
        words=WORDS,
        refused=True,
        tells=(r"36 of 108 images seem to be masks.*_seg_60.png.*exclude=\['\*_seg_\*'\]",),
    ),
    Case(
        name="masks among channels, left out",
        make=lambda root: _channels(root, "flair", "t1", "seg"),
        words=(*WORDS, "dataset.exclude=['*_seg_*']"),
        tells=("72 images seem to be of 12 patients",),
        read=counts(HGG=36, LGG=36),
    ),
    Case(
        name="channels",
        make=lambda root: _channels(root, "flair", "t1"),
        words=WORDS,
        tells=("72 images seem to be of 12 patients",),
    ),
    Case(
        name="leaves that were mirrored and turned",
        make=lambda root: put_beside(root, "IM_{}_flipLR.png", "IM_{}_new30degFlipLR.png"),
        words=WORDS,
        tells=("54 images seem to be of 18 patients or originals",),
        untold=("masks",),
    ),
    Case(
        name="WordNet's numbers",
        make=partial(put_folders, folders=("n01440764", "n02102040"), count=10),
        words=(*WORDS, "prompts.wordings.n01440764=tench"),
        tells=("labels n01440764, n02102040 are WordNet's numbers, .*wordings.n01440764=...",),
    ),
    Case(
        name="slides behind a type and a year, as said",
        make=_slides,
        words=(*WORDS, f"dataset.patient_pattern='{SLIDES}'"),
        untold=("called alike", "seem to be of"),
        read=_thirty_five,
    ),
    Case(
        name="masks beside images",
        make=partial(
            put_each, counts={f"{x}/{y}": 9 for x in ("cat", "dog") for y in ("images", "masks")}
        ),
        words=WORDS,
        refused=True,
        tells=(
            r"cat/images \(9 images\), cat/masks \(9 images\), dog/images",
            r'leave them out by "dataset.exclude=\[masks\]", or, .* by dataset.exclude=\[\]',
        ),
    ),
    Case(
        name="masks beside images, left out",
        make=partial(
            put_each, counts={f"{x}/{y}": 9 for x in ("cat", "dog") for y in ("images", "masks")}
        ),
        words=(*WORDS, "dataset.exclude=[masks]"),
        read=counts(cat=9, dog=9),
    ),
    Case(
        name="masks beside images, labels not known",
        make=partial(put_each, counts={"images": 9, "Ground_Truth": 9}),
        words=(*WORDS, "dataset.labelled=false"),
        refused=True,
        tells=(r"Images by folder: Ground_Truth \(9 images\), images \(9 images\)",),
    ),
    Case(
        name="masks as a label",
        make=partial(put_each, counts={"images": 9, "masks": 9}),
        words=WORDS,
        refused=True,
        tells=("the folders images, masks are no labels as it seems, but kinds of files",),
    ),
    Case(
        name="labels repeated in a folder beside them",
        make=partial(put_each, counts={"cat": 9, "dog": 9, "small/cat": 9, "small/dog": 9}),
        words=WORDS,
        refused=True,
        tells=(r"the folder small is no label as it seems.* by dataset.exclude=\[small\]",),
    ),
    Case(
        name="masks by their names",
        make=_masked_files,
        words=WORDS,
        refused=True,
        tells=(
            r"9 of 25 images seem to be masks.*benign/x \(0\)_mask.png",
            r"\"dataset.exclude=\['\*_mask\*'\]\"",
        ),
    ),
    Case(
        name="masks by their names, left out",
        make=_masked_files,
        words=(*WORDS, "dataset.exclude=['*_mask*']"),
        read=counts(benign=8, malignant=8),
    ),
    Case(
        name="domains as CycleGAN has them",
        make=partial(put_folders, folders=("trainA", "trainB", "testA", "testB"), count=6),
        words=WORDS,
        refused=True,
        tells=("are named as parts of a split .test, train. and something else .a, b.*LABEL",),
    ),
    Case(
        name="parts of a split as COCO has them",
        make=partial(put_folders, folders=("train2017", "val2017"), count=6),
        words=WORDS,
        refused=True,
        tells=("and something else .2017.",),
    ),
    Case(
        name="parts of a split and labels in one name",
        make=partial(
            put_folders, folders=("train_cats", "test_cats", "train_dogs", "test_dogs"), count=6
        ),
        words=WORDS,
        refused=True,
        tells=("and something else .cats, dogs.",),
    ),
    Case(
        name="parts of a split that name labels in two ways",
        make=partial(
            put_each, counts={"train/cat": 6, "train/dog": 6, "test/cats": 6, "test/dogs": 6}
        ),
        words=WORDS,
        refused=True,
        tells=("no label in common .*train: cat, dog.*called the same in each",),
    ),
    Case(
        name="masks in folders beside the labels'",
        make=partial(put_folders, folders=("cat", "cat_mask", "dog", "dog_mask"), count=6),
        words=WORDS,
        refused=True,
        tells=(r"12 of 24 images seem to be masks.*exclude=\[cat_mask,dog_mask\]",),
    ),
    Case(
        name="masks by a word before the name",
        make=lambda root: put_beside(root, "mask_IM_{}.png"),
        words=WORDS,
        refused=True,
        tells=(r"18 of 36 images seem to be masks.*exclude=\['mask_\*'\]",),
    ),
    Case(
        name="pictures made of pictures",
        make=lambda root: put_beside(root, "IM_{}_superpixels.png"),
        words=WORDS,
        refused=True,
        tells=(r"18 of 36 .*exclude=\['\*_superpixels\.\*'\]",),
    ),
    Case(
        name="several pictures made of each",
        make=lambda root: put_beside(
            root, "IM_{}_gradcam.png", "IM_{}_pred.png", "IM_{}_depth.png"
        ),
        words=WORDS,
        refused=True,
        tells=(r"54 of 72 .*'\*_depth\.\*','\*_gradcam\.\*','\*_pred\.\*'",),
    ),
    Case(
        name="pictures made of pictures, in folders of each",
        make=_lesions,
        words=WORDS,
        refused=True,
        tells=(r"18 of 36 .*exclude=\['\*_lesion\.\*'\]",),
    ),
    Case(
        name="grids among images",
        make=lambda root: put_beside(root, "grid-000{}.png"),
        words=WORDS,
        refused=True,
        tells=(r"18 of 36 .*exclude=\['grid-\*'\]",),
    ),
    Case(
        name="pictures made of pictures, left out",
        make=lambda root: put_beside(root, "IM_{}_superpixels.png"),
        words=(*WORDS, "dataset.exclude=['*_superpixels.*']"),
        read=counts(cat=9, dog=9),
    ),
    Case(
        name="names of which one label has the other's and a word",
        make=_prefixed_label,
        words=WORDS,
        read=counts(cat=9, dog=9),
    ),
    Case(
        name="nothing is called so",
        make=partial(put_folders, count=3),
        words=(*WORDS, "dataset.exclude=[mask]"),
        refused=True,
        tells=("dataset.exclude names mask, but nothing there is called so",),
    ),
    Case(
        name="folders without images",
        make=lambda root: [(root / name).mkdir() for name in ("cat", "dog")],
        words=WORDS,
        refused=True,
        tells=("no image files in the folder of label cat, dog",),
    ),
    Case(
        name="a folder in Latin-1",
        make=_latin_1,
        words=WORDS,
        refused=True,
        tells=(r"4 names that are no UTF-8 text.*'gr\\udcf6\\udcdfe'.*convmv",),
    ),
    Case(
        name="a line end in a name",
        make=_line_end,
        words=WORDS,
        refused=True,
        tells=(r"1 names that .* control characters: 'cat/1\\n.png'; rename",),
    ),
    Case(name="what systems leave", make=_litter, words=WORDS, read=counts(cat=10, dog=10)),
    Case(
        name="labels that differ in case",
        make=partial(put_folders, folders=("Cat", "cat", "dog"), count=5),
        words=WORDS,
        refused=True,
        tells=(
            r"seem to be the same: 'Cat' \(5 images\) and 'cat' \(5 images\)",
            r"name all labels by dataset.labels=\[",
        ),
    ),
    Case(
        name="labels that differ in case, as said",
        make=partial(put_folders, folders=("Cat", "cat", "dog"), count=5),
        words=(*WORDS, "dataset.labels=[Cat,cat,dog]"),
        read=counts(Cat=5, cat=5, dog=5),
    ),
    Case(
        name="labels that differ in Unicode's form",
        make=partial(put_folders, folders=("gru\u0308n", "gr\u00fcn", "rot"), count=5),
        words=WORDS,
        refused=True,
        tells=("seem to be the same: 'gr",),
    ),
    Case(
        name="a label that is a missing value",
        make=partial(put_folders, folders=("NaN", "cat", "dog"), count=5),
        words=WORDS,
        refused=True,
        tells=(r"labels that read as missing values: 'NaN' \(5 images\)",),
    ),
    Case(
        name="what nobody wanted, among the labels",
        make=partial(put_folders, folders=("cat", "dog", "New folder", "rejected"), count=10),
        words=WORDS,
        tells=("label 'New folder' of 10 images often means", "label 'rejected' of 10 images"),
    ),
    *(
        Case(
            name=f"images put aside in {folder}",
            make=partial(put_folders, folders=("cat", "dog", folder), count=10),
            words=WORDS,
            tells=(
                f"label '{re.escape(folder)}' of 10 images often means.*: if so, leave these "
                rf'images out by "dataset.exclude=\[.?{re.escape(folder)}.?\]"',
            ),
        )
        for folder in (
            "to_review",
            "unsorted",
            "duplicates",
            "tmp2",
            "old",
            "misc",
            "cat - Copy (2)",
        )
    ),
    Case(
        name="old and new",
        make=partial(put_folders, folders=("old", "new", "old fracture", "fracture"), count=10),
        words=WORDS,
        read=untold,
    ),
    Case(
        name="masks of a label below the parts of a split",
        make=lambda root: [
            put_folders(root / part, ("cat", "cat_mask", "dog"), count=6)
            for part in ("train", "test")
        ],
        words=WORDS,
        refused=True,
        tells=(r"12 of 36 images seem to be masks.*exclude=\[cat_mask\]",),
    ),
    Case(
        name="numbers whose names stand beside them",
        make=_numbers_and_names,
        words=(*WORDS, "prompts.wordings.0=melanoma"),
        tells=("labels 0, 1 are numbers, .* in classes.txt.* prompts.wordings.0=other words",),
        read=counts(**{"0": 10, "1": 10}),
    ),
    Case(
        name="numbers that nothing names",
        make=partial(put_folders, folders=("0", "1"), count=10),
        words=WORDS,
        read=counts(**{"0": 10, "1": 10}),
    ),
    Case(
        name="repeats before the labels' names",
        make=partial(put_folders, folders=("10_sks cat", "5_sks dog"), count=10),
        words=WORDS,
        tells=("labels 10_sks cat, 5_sks dog begin with numbers, .*rename the folders",),
    ),
    Case(
        name="labels in text files",
        make=_yolo,
        words=WORDS,
        refused=True,
        tells=("labels of 12 images stand in text files, such as labels/.*write a table of",),
    ),
    Case(
        name="three images of a label",
        make=partial(put_folders, count=3),
        words=WORDS,
        tells=("all +6 +2 +2 +2",),
    ),
    Case(
        name="a training set that the pool makes room for",
        make=partial(put_folders, count=5),
        words=(*WORDS, "train_size=4"),
        tells=("all +10 +4 +4 +2",),
    ),
    Case(
        name="minus one",
        make=partial(put_folders, folders=("-1", "0", "1"), count=10),
        words=WORDS,
        tells=("label '-1' of 10 images stands beside numbers only",),
        read=counts(**{"-1": 10, "0": 10, "1": 10}),
    ),
    Case(
        name="train and holdout above the labels",
        make=lambda root: [put_folders(root / part, count=8) for part in ("train", "holdout")],
        tells=("the first folders are parts of a split", "label cat +16"),
    ),
    Case(
        name="a part of a split and an unknown folder above the same labels",
        make=lambda root: [put_folders(root / part, count=8) for part in ("train", "rest")],
        tells=("rest, train hold folders of the same names", r"dataset\.label_level=2"),
        refused=True,
    ),
    Case(
        name="a test part beside the labels",
        make=lambda root: [put_folders(root / part, count=8) for part in ("", "test")],
        tells=("the folder test is no label as it seems", r"dataset\.exclude=\[test\]"),
        refused=True,
    ),
    Case(
        name="masks beside the labels",
        make=lambda root: put_folders(root, ("cat", "dog", "masks")),
        tells=(r"seem to be masks", r"dataset\.exclude=\[masks\]"),
        refused=True,
    ),
    Case(
        name="faces with a mask and without",
        make=lambda root: put_folders(root, ("mask", "no_mask")),
        tells=("label mask +30", "label no_mask +30"),
    ),
)
