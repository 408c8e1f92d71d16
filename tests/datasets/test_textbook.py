"""Tuning images from one source, real_train and real_test from another; and drawn textbooks."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tgap
from tgap.cli.main import command
from tgap.core import ConfigError, DataError, ImageSet, NewImages
from tgap.core.settings import Splitting
from tgap.datasets.base import Dataset
from tgap.datasets.digits import Digits
from tgap.datasets.image_folder import ImageFolder
from tgap.datasets.phantom_xray import PhantomXray
from tgap.datasets.phantoms.factors import FINDINGS, IMAGE_FACTORS, draw_factors, draw_typical
from tgap.datasets.phantoms.writing import write_textbook
from tgap.datasets.reading.decoding import decode
from tgap.datasets.textbook import Textbook
from tgap.pipeline.artifacts import ImagesOnDisk, read_images, write_images
from tgap.protocols.clean import Clean
from tgap.protocols.thesis import Thesis
from tgap.store import Spec, Store


@dataclasses.dataclass(kw_only=True)
class Given(Dataset):
    """Images that a test has at hand; ``asks`` for an array to put them into, or does not."""

    domain: str = "thing"
    data: ImageSet
    asks: bool = True

    def _load(self, new_images: NewImages) -> ImageSet:
        if not self.asks:
            return self.data
        images = new_images(self.data.images.shape)
        images[:] = self.data.images
        return dataclasses.replace(self.data, images=images)


def made(n: int, first: int = 0, label_names: tuple[str, ...] = ("a", "b"), **more) -> ImageSet:
    """Images that are all different, by ``first + i`` in a corner, with a white dot each."""
    values = np.arange(first, first + n)
    images = np.zeros((n, 4, 4, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = values % 251, values // 251
    images[:, 3, 3] = 255
    return ImageSet(
        **{
            "images": images,
            "labels": np.arange(n)[:, None] % 2 == np.arange(2),
            "label_names": label_names,
            "findings": np.zeros((n, 0), bool),
            "finding_names": (),
            "patients": np.arange(n, dtype=np.int64),
        }
        | more
    )


def together(tuning: ImageSet, real: ImageSet, asks: bool = True) -> ImageSet:
    for part in (tuning, real):
        for array in (part.images, part.labels, part.findings, part.patients):
            array.setflags(write=False)
    return Textbook(tuning=Given(data=tuning), real=Given(data=real, asks=asks)).load()


@pytest.mark.parametrize("asks", [True, False])
def test_real_images_come_first_and_those_of_the_textbook_are_the_pool(asks: bool) -> None:
    tuning, real = made(20, first=500), made(50)
    data = together(tuning, real, asks)
    assert np.array_equal(data.images, np.concatenate([real.images, tuning.images]))
    assert data.official_pool.tolist() == [False] * 50 + [True] * 20
    assert data.official_test is None
    assert np.array_equal(data.patients[:50], real.patients)
    assert not set(data.patients[:50]) & set(data.patients[50:])
    assert data.notes == {}


def test_patients_of_the_textbook_stay_together_and_apart_from_the_others() -> None:
    tuning = made(4, first=500, patients=np.array([7, 7, -3, 0]))
    data = together(tuning, made(10, patients=np.arange(10) + 100))
    theirs = data.patients[10:]
    assert theirs[0] == theirs[1]
    assert len(set(theirs)) == 3
    assert theirs.min() > 109


def test_labels_are_matched_by_name() -> None:
    tuning = made(4, first=500, label_names=("b", "a"))
    data = together(tuning, made(10))
    assert data.label_names == ("a", "b")
    assert np.array_equal(data.labels[10:], tuning.labels[:, ::-1])


def test_other_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"labels of dataset.real by name \(a, b\), got a, c"):
        together(made(4, first=500, label_names=("a", "c")), made(10))
    with pytest.raises(DataError, match="got a, B; 'B' is 'b' written in another way: rename one"):
        together(made(4, first=500, label_names=("a", "B")), made(10))


def test_findings_are_those_of_either() -> None:
    of_tuning = np.array([[True, False], [False, True], [True, True], [False, False]])
    tuning = made(4, first=500, findings=of_tuning, finding_names=("new", "old"))
    of_real = np.ones((10, 1), bool)
    data = together(tuning, made(10, findings=of_real, finding_names=("old",)))
    assert data.finding_names == ("old", "new")
    assert np.array_equal(data.findings[:10], np.repeat([[True, False]], 10, axis=0))
    assert np.array_equal(data.findings[10:], of_tuning[:, ::-1])


def test_metadata_are_the_real_ones_columns_unknown_where_the_textbook_lacks_them() -> None:
    tuning = made(
        2,
        first=500,
        metadata={
            "file": np.array(["a long name.png", "y"]),
            "sex": np.array([1.0, 2.0]),
            "confidence": np.ones(2),
        },
    )
    real = made(
        10,
        metadata={
            "file": np.array([f"{i}.png" for i in range(10)]),
            "sex": np.array(["M"] * 10),
            "age": np.arange(10.0),
        },
    )
    data = together(tuning, real)
    assert set(data.metadata) == {"file", "sex", "age"}
    assert data.metadata["file"][9:].tolist() == ["9.png", "a long name.png", "y"]
    assert data.metadata["sex"][9:].tolist() == ["M", "", ""]
    assert data.metadata["age"][9] == 9
    assert np.isnan(data.metadata["age"][10:]).all()


def test_the_official_test_set_is_the_real_one_s() -> None:
    official = np.arange(10) < 4
    data = together(made(4, first=500), made(10, official_test=official))
    assert data.official_test.tolist() == [*official.tolist(), *[False] * 4]


def test_an_image_of_both_is_left_out_of_the_textbook(caplog: pytest.LogCaptureFixture) -> None:
    tuning, real = made(6, first=8, notes={"unlisted": 2}), made(10, notes={"other_files": 1})
    data = together(tuning, real)  # images 8 and 9 are in both
    assert np.array_equal(data.images, np.concatenate([real.images, tuning.images[2:]]))
    assert data.official_pool.sum() == 4
    assert np.array_equal(data.labels[10:], tuning.labels[2:])
    assert data.notes == {"other_files": 1, "tuning": {"unlisted": 2}, "repeated": 2}
    assert "2 of the 6 images of dataset.tuning are also in dataset.real" in caplog.text


def test_a_textbook_of_real_images_alone_is_refused() -> None:
    with pytest.raises(DataError, match=r"every image of dataset\.tuning is also one"):
        together(made(4, first=2), made(10))


@pytest.mark.parametrize("asks", [True, False])
def test_another_size_is_refused(asks: bool) -> None:
    other = made(4, images=np.zeros((4, 8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"\(8, 8, 3\) .* those of dataset.real \(4, 4, 1\); set"):
        together(other, made(10), asks)


def test_unlabelled_and_double_parts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    unlabelled = ImageFolder(path=str(tmp_path), labelled=False)
    with pytest.raises(ConfigError, match="tuning must have labels, got labelled=false; tgap labe"):
        Textbook(tuning=unlabelled, real=Digits())
    inner = Textbook(tuning=PhantomXray(seed=1), real=PhantomXray())
    with pytest.raises(ConfigError, match="real must be a dataset of one source, got 'textbook'"):
        Textbook(tuning=Digits(), real=inner)


def test_domain_is_the_real_one_s_unless_told() -> None:
    parts = {"tuning": PhantomXray(seed=1), "real": Digits()}
    assert Textbook(**parts).domain == "handwritten digit"
    assert Textbook(**parts, domain="scan").domain == "scan"
    assert Textbook(**parts, domain="scan").identity() == Textbook(**parts).identity()


def test_identity_is_that_of_both_parts() -> None:
    def key(**changed) -> str:
        parts = {"tuning": PhantomXray(seed=1), "real": PhantomXray(seed=2)} | changed
        return Spec("dataset", {"dataset": Textbook(**parts).identity()}).key

    keys = {key(), key(tuning=PhantomXray(seed=3)), key(real=PhantomXray(seed=3))}
    assert len(keys) == 3


# In the store


def scratch_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("scratch*"))


@pytest.mark.parametrize(("first", "kept"), [(500, 6), (8, 4)])
def test_the_store_keeps_the_array_that_was_filled_and_the_pool(
    tmp_path: Path, first: int, kept: int
) -> None:
    book = Textbook(tuning=Given(data=made(6, first=first)), real=Given(data=made(10)))

    def make(folder: Path) -> None:
        data = book.load(ImagesOnDisk(folder))
        assert isinstance(data.images, np.memmap)
        write_images(folder, data)
        assert scratch_files(folder) == []

    artifact = Store(tmp_path).get_or_make(Spec("dataset", {}), make)
    data, expected = read_images(artifact), book.load()
    assert len(data) == 10 + kept
    assert np.array_equal(data.images, expected.images)
    assert np.array_equal(data.official_pool, expected.official_pool)
    assert data.notes == expected.notes
    assert data.take(np.array([0, 12])).official_pool.tolist() == [False, True]


def test_the_real_images_of_an_interrupted_process_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {"tuning": 3, "real": 5}
    rng = np.random.default_rng(0)
    for name, count in folders.items():
        for i in range(2 * count):
            path = tmp_path / name / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    book = Textbook(**{n: ImageFolder(path=str(tmp_path / n), size=8) for n in folders}, domain="x")
    target = tmp_path / "artifact"
    target.mkdir()
    first = book.load(ImagesOnDisk(target)).images.copy()
    filled = np.load(target / "scratch_filled.npy", mmap_mode="r+")
    filled[:] = True
    filled.flush()
    read = []

    def counted(source: Path, *args: object) -> np.ndarray:
        read.append(Path(source).parts[-3])
        return decode(source, *args)

    monkeypatch.setattr("tgap.datasets.reading.decoding.decode", counted)
    again = book.load(ImagesOnDisk(target))
    assert set(read) == {"tuning"}
    assert np.array_equal(again.images, first)


# How it is split


def book_of(n_real: int = 200, n_tuning: int = 40, **more) -> ImageSet:
    rng = np.random.default_rng(1)
    patients = np.sort(rng.integers(0, n_real // 2, n_real))
    return together(made(n_tuning, first=n_real + 9), made(n_real, patients=patients, **more))


def real_alone(data: ImageSet) -> ImageSet:
    rows = np.flatnonzero(~data.official_pool)
    return dataclasses.replace(data.take(rows), official_pool=None)


def official_of(data: ImageSet) -> np.ndarray:
    return data.patients % 4 == 0


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("sizes", [{}, {"train_size": 30, "test_size": 20}])
def test_clean_tests_and_trains_as_without_the_textbook(official: bool, sizes: dict) -> None:
    data = book_of()
    if official:
        data = dataclasses.replace(data, official_test=~data.official_pool & official_of(data))
    for seed in range(5):
        split = Clean().split(data, Splitting(split_seed=seed, **sizes))
        alone = Clean().split(real_alone(data), Splitting(split_seed=seed, **sizes))
        assert np.array_equal(split.pool, np.flatnonzero(data.official_pool))
        assert np.array_equal(split.real_test, alone.real_test)
        assert np.array_equal(split.real_train, alone.real_train)


def test_pool_size_limits_the_textbook_label_by_label() -> None:
    split = Clean().split(book_of(), Splitting(pool_size=10))
    data = book_of()
    assert data.official_pool[split.pool].all()
    assert data.labels[split.pool].sum(axis=0).tolist() == [5, 5]
    other = Clean().split(data, Splitting(pool_size=10, split_seed=1))
    for protocol in (Clean(), Thesis()):
        assert len(protocol.split(data, Splitting(pool_size=10_000)).pool) == 40
    assert not np.array_equal(split.pool, other.pool)


def test_real_train_may_take_all_that_is_not_tested_on() -> None:
    data = book_of()
    split = Clean().split(data, Splitting(train_size=160, test_size=40))
    assert abs(len(split.real_train) - 160) <= 6
    assert not set(data.patients[split.real_train]) & set(data.patients[split.real_test])


def test_more_than_there_is() -> None:
    for protocol in (Clean(), Thesis()):
        with pytest.raises(DataError, match=r"asks for train 190 \+ test 40 = 230 images, .* 200"):
            protocol.split(book_of(), Splitting(train_size=190, test_size=40))


def test_a_patient_of_the_pool_elsewhere_is_refused() -> None:
    data = book_of()
    patients = data.patients.copy()
    patients[0] = patients[-1]
    with pytest.raises(DataError, match="1 patients are both in the official pool and outside it"):
        Clean().split(dataclasses.replace(data, patients=patients), Splitting())
    with pytest.raises(DataError, match="official pool has 240 of the dataset's 240 images"):
        Clean().split(dataclasses.replace(data, official_pool=np.ones(240, bool)), Splitting())


def test_thesis_tunes_on_the_textbook_and_draws_the_rest_at_random() -> None:
    data = book_of()
    split = Thesis().split(data, Splitting())
    assert np.array_equal(split.pool, np.flatnonzero(data.official_pool))
    assert [len(split.real_test), len(split.real_train)] == [40, 160]
    assert set(data.patients[split.real_test]) & set(data.patients[split.real_train])
    small = Thesis().split(data, Splitting(pool_size=10, train_size=50, test_size=60))
    assert [len(small.pool), len(small.real_train), len(small.real_test)] == [10, 50, 60]
    assert data.official_pool[small.pool].all()
    assert not data.official_pool[np.append(small.real_train, small.real_test)].any()


@pytest.mark.parametrize(("n", "tested"), [(200, 40), (25_000, 5_000), (30_000, 10_000)])
def test_thesis_tests_on_the_same_images_as_without_the_textbook(n: int, tested: int) -> None:
    data = without_pixels(n)
    for sizes in ({}, {"test_size": 70, "pool_size": 50}, {"pool_size": 30, "train_size": 60}):
        split = Thesis().split(data, Splitting(split_seed=3, **sizes))
        alone = Thesis().split(real_alone(data), Splitting(split_seed=3, **sizes))
        assert np.array_equal(split.real_test, alone.real_test)
        assert len(split.real_test) == sizes.get("test_size", tested)
        assert data.official_pool[split.pool].all()


def without_pixels(n_real: int, n_tuning: int = 40) -> ImageSet:
    n = n_real + n_tuning
    black = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (n, 1, 1, 1))
    return dataclasses.replace(made(n), images=black, official_pool=np.arange(n) >= n_real)


# On the command line

WORDS = (
    "dataset=textbook",
    "dataset/tuning=phantom_xray",
    "dataset.tuning.images=60",
    "dataset.tuning.seed=5",
    "dataset/real=phantom_xray",
    "dataset.real.images=200",
)


def test_it_composes_with_parts_of_its_own() -> None:
    run = tgap.compose(*WORDS, "selector=whole")
    assert isinstance(run.dataset, Textbook)
    assert (run.dataset.tuning.seed, run.dataset.real.images) == (5, 200)
    assert run.dataset.domain == "chest X-ray"


def test_missing_parts_are_told_together() -> None:
    with pytest.raises(ConfigError) as caught:
        tgap.compose("dataset=textbook")
    assert "dataset.tuning must be chosen" in str(caught.value)
    assert "dataset.real must be chosen" in str(caught.value)


def test_data_tells_what_pool_and_test_set_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TGAP_HOME", str(tmp_path))
    small = ("dataset.tuning.size=32", "dataset.real.size=32", "dataset.real.images=300")
    assert command(["data", *WORDS, *small]) == 0
    printed = capsys.readouterr().out
    assert "360 images of 32 x 32" in printed
    assert "stand on two sides" not in printed


# Drawn textbooks


def test_typical_phantoms_show_one_severe_finding_or_none() -> None:
    factors = draw_typical(280, 3)
    present, severity = factors.findings(), factors.severities()
    assert present.sum(axis=1).max() == 1
    assert present.any(axis=1).sum() == 140
    assert present.sum(axis=0).tolist() == [10] * len(FINDINGS)
    assert severity[present].min() >= 0.75
    assert len(set(factors.columns["patient"])) == 280
    assert set(factors.columns["view"]) == {"PA"}
    assert set(factors.columns["text"]) == {""}
    for name, (mean, deviation) in IMAGE_FACTORS.items():
        column = factors.columns[name]
        assert np.ptp(column) == 0
        assert column[0] == (mean if name != "noise" else mean - 2.5 * deviation)
    spread = draw_factors(2000, 3).columns["heart_width"].std()
    assert factors.columns["heart_width"].std() < 0.7 * spread


def test_typical_phantoms_are_drawn_anew_by_seed_and_are_none_of_the_dataset_s() -> None:
    one, again, other = draw_typical(40, 3), draw_typical(40, 3), draw_typical(40, 4)
    ours = draw_factors(40, 3)
    for name in ("heart_width", "effusion_side"):
        assert np.array_equal(one.columns[name], again.columns[name])
        assert not np.array_equal(one.columns[name], other.columns[name])
    assert not np.isin(one.columns["heart_width"], ours.columns["heart_width"]).any()
    assert one.columns["seed"][0] != ours.columns["seed"][0]


def test_a_textbook_on_disk_has_no_labels_and_its_truth_beside_it(tmp_path: Path) -> None:
    write_textbook(tmp_path / "book", 56, 32, seed=1)
    assert {path.name for path in (tmp_path / "book").iterdir()} == {
        "images",
        "truth.csv",
        "factors.csv",
        "README.txt",
    }
    with (tmp_path / "book" / "truth.csv").open(newline="") as file:
        truth = list(csv.DictReader(file))
    names = sorted(path.name for path in (tmp_path / "book" / "images").iterdir())
    assert [row["file"] for row in truth] == names
    labels = [row["label"] for row in truth]
    assert (labels.count("no_finding"), labels.count("unhealthy")) == (28, 28)
    for row in truth:
        assert (row["label"] == "unhealthy") == (row["findings"] in FINDINGS)
    book = ImageFolder(path=str(tmp_path / "book" / "images"), labelled=False, size=32).load()
    assert len({image.tobytes() for image in book.images}) == 56
    with pytest.raises(DataError, match="is not an empty folder"):
        write_textbook(tmp_path / "book", 56, 32)


def test_the_command_draws_a_textbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "book"
    assert command(f"phantom --textbook --images 5 --size 16 --out {out}".split()) == 0
    assert len(list((out / "images").iterdir())) == 5
    assert "label them with: tgap label --images" in capsys.readouterr().out
