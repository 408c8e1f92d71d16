"""Tables that lie beside folders of images and are not named."""

from functools import partial
from pathlib import Path

from tests.corpus.case import Case
from tests.corpus.folders import counts
from tests.corpus.making import grey, put, put_folders, put_table
from tests.corpus.tables import ten_patients

WORDS = ("dataset=image_folder", "dataset.domain=x")
HERE = "a table lies there"


def _parts(root: Path, table: str = "metadata.csv", name: str = "ISIC_00{:02}") -> None:
    """As HAM10000 is unpacked: folders that are no labels, and names without suffix."""
    for n in range(40):
        put(root / f"images_part_{n % 2}" / f"{name.format(n)}.jpg", grey(n % 3 % 2, n))
    rows = [f"L{n // 2},{name.format(n)},{('nv', 'mel', 'nv')[n % 3]}" for n in range(40)]
    put_table(root, ["lesion_id,image_id,dx", *rows], table)


def _one_folder(root: Path, encoding: str = "utf-8") -> None:
    for n in range(20):
        put(root / "Bilder" / f"bild_{n}.png", grey(n % 2, n))
    rows = [f"bild_{n}.png;{('gut', 'schlecht')[n % 2]}" for n in range(20)]
    (root / "Befunde.csv").write_text("\n".join(["Datei;Größe", *rows]) + "\n", encoding)


def _by_blanks(root: Path, between: str = " ", head: str = "") -> None:
    """As COVIDx has it: patient, file, label, source."""
    rows = [f"{n // 2} a{n}.png {('negative', 'positive')[n % 2]} rsna" for n in range(40)]
    for n in range(40):
        put(root / ("train" if n < 30 else "test") / f"a{n}.png", grey(n % 2, n))
    for name, its in (("train.txt", rows[:30]), ("test.txt", rows[30:])):
        put_table(root, [*filter(None, [head]), *(row.replace(" ", between) for row in its)], name)


def _persons(root: Path, head: str = "participant_id\tage\tgroup") -> None:
    """As BIDS has it: a folder and a row per person."""
    rows = [f"sub-{n:02}\t{50 + n}\t{('AD', 'CN')[n % 2]}" for n in range(12)]
    for n in range(12):
        for cut in range(3):
            put(root / f"sub-{n:02}" / "anat" / f"sub-{n:02}_{cut}.png", grey(n % 2, 10 * n + cut))
    put_table(root, [head, *rows], "participants.tsv")


def _labels_too(root: Path) -> None:
    """A table of measurements beside folders of labels, whose numbers files have too."""
    put_folders(root, count=30)
    put_table(root, ["epoch,loss", *(f"{n},0.{n}" for n in range(20))], "log.csv")


def _of_patients(root: Path, name: str, encoding: str = "cp1252", head: str = "file,label") -> None:
    """Folders of labels, and a table of patients of six images each, as Excel saves it."""
    put_folders(root)
    files = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(30)]
    rows = [f"{file},{file[:3]},Müller{n // 6}" for n, file in enumerate(files)]
    (root / name).write_text("\n".join([f"{head},patient", *rows]) + "\n", encoding)


def _train_and_test(root: Path) -> None:
    """A table of training images, and one of test images that was cut off."""
    for n in range(30):
        put(root / f"{n}.png", grey(n % 2, n))
    put_table(root, ["file,label", *(f"{n}.png,{'ab'[n % 2]}" for n in range(20))], "train.csv")
    put_table(root, ["file,label", *(f"{n}.png,b" for n in range(20, 30)), "29.p"], "test.csv")


ANSI = r"\S*{} is not UTF-8 text: .* save it as UTF-8 \(in Excel as 'CSV UTF-8'"
UNREAD = "a table lies there that cannot be read"
ROWS = (
    r"12 rows of column 'participant_id' are folders \(sub-00 with 3 images\), so that the table "
    r"has a row per person.*table = pandas.read_csv\('participants.tsv', sep='\\t'"
)
CASES = (
    Case(
        name="a table beside folders that are no labels",
        make=_parts,
        words=WORDS,
        tells=(
            rf"labels are the names of folders, but {HERE}: metadata.csv names 40 of the 40 images "
            r"in column 'image_id': if it has the labels, set dataset.table=metadata.csv "
            r"dataset.file_column=image_id dataset.label_column=... \(one of lesion_id, dx\)",
        ),
        untold=("HEIC",),
    ),
    Case(
        name="a table beside the only folder",
        make=_one_folder,
        words=WORDS,
        refused=True,
        tells=(
            rf"got 'Bilder'; {HERE}: Befunde.csv names 20 of the 20 images in column 'Datei': .* "
            "dataset.table=Befunde.csv dataset.file_column=Datei",
        ),
    ),
    *(
        Case(
            name=f"a text file beside folders, {how}",
            make=partial(_by_blanks, between=between, head=head),
            words=WORDS,
            refused=True,
            tells=(
                rf"{HERE}: train.txt names 30 of the 40 images; its columns are separated by {what}"
                rf": make a CSV of it \(pandas: read_csv\('train.txt', sep='{sep}'{names}",
                r"\(as do test.txt\)",
            ),
        )
        for how, between, sep, head, what, names in (
            (
                "blanks",
                " ",
                " ",
                "",
                "blanks, without a header",
                r", header=None, names=\['column1', 'file', 'column3', 'column4'\]",
            ),
            ("vertical bars", "|", r"\|", "id|name|dx|from", "vertical bars, with a header", ", d"),
        )
    ),
    Case(
        name="a text file for the path",
        make=_by_blanks,
        words=(*WORDS, "dataset.path=train.txt"),
        refused=True,
        tells=(
            r"path names 'train.txt', no table by its name; its columns are separated by blanks, "
            r"without a header: .*names=\['column1', 'file', 'column3', 'column4'\], dtype=str\)"
            r".to_csv\('train.csv'",
        ),
    ),
    Case(
        name="a row per person beside folders of persons",
        make=_persons,
        words=WORDS,
        refused=True,
        tells=("are persons by their names, and no labels", rf"{HERE}, participants.tsv: {ROWS}"),
    ),
    *(
        Case(
            name=f"a row per person for the table, {' '.join(words) or 'nothing set'}",
            make=_persons,
            words=(*WORDS, "dataset.table=participants.tsv", "dataset.label_column=group", *words),
            refused=True,
            tells=(f"table participants.tsv names no image files: {ROWS}",),
            untold=("there is no such file", "its name does not end"),
        )
        for words in ((), ("dataset.file_column=participant_id",))
    ),
    Case(
        name="a table of measurements beside folders of labels",
        make=_labels_too,
        words=WORDS,
        untold=(HERE,),
        tells=("1 files that are no images.*log.csv",),
        read=counts(cat=30, dog=30),
    ),
    *(
        Case(
            name=f"a metadata.csv of patients, {encoding}",
            make=partial(
                _of_patients, name="metadata.csv", encoding=encoding, head="file_name,label"
            ),
            words=WORDS,
            **told,
        )
        for encoding, told in (
            ("utf-8", {"read": ten_patients}),
            ("cp1252", {"refused": True, "tells": (f"table {ANSI.format('metadata.csv')}",)}),
        )
    ),
    *(
        Case(
            name=f"a table of patients beside folders, which cannot be read, {name} in {encoding}",
            make=partial(_of_patients, name=name, encoding=encoding),
            words=WORDS,
            tells=(f"- Labels are the names of folders, but {tell}",),
        )
        for name, encoding, tell in (
            ("labels.csv", "cp1252", f"{UNREAD}: table {ANSI.format('labels.csv')}"),
            ("metadata.csv", "cp1252", f"{UNREAD}: table {ANSI.format('metadata.csv')}"),
            (
                "labels.txt",
                "cp1252",
                f"{HERE}: labels.txt names 60 of the 60 images; .* dtype=str, encoding='cp1252'",
            ),
            (
                "labels.txt",
                "utf-16",
                f"{HERE}: labels.txt names 60 of the 60 images; .* dtype=str, encoding='utf-16'",
            ),
        )
    ),
    Case(
        name="a table beside the only folder, which cannot be read",
        make=partial(_one_folder, encoding="cp1252"),
        words=WORDS,
        refused=True,
        tells=(rf"got 'Bilder'; {UNREAD}: table {ANSI.format('Befunde.csv')}",),
    ),
    Case(
        name="a table of the images that are left out, which cannot be read",
        make=_train_and_test,
        words=(*WORDS, "dataset.table=train.csv"),
        tells=(rf"- A{UNREAD[1:]}: table test\.csv, line 12: 1 cells, but the header has 2",),
    ),
)
