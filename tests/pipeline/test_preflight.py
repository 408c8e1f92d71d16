"""What is known to go wrong is told before anything is read, and asked once for all runs."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

import tgap
from tests.pipeline.conftest import CUT
from tgap.classifiers.small_cnn import SmallCnn
from tgap.composition.config import Run
from tgap.core import Component, ConfigError, DataError, ImageSet
from tgap.datasets.image_folder import ImageFolder
from tgap.generators.ready_made import ReadyMade
from tgap.pipeline.plan import plan, plan_data
from tgap.pipeline.preflight import data as data_checks
from tgap.pipeline.preflight import runs as preflight
from tgap.pipeline.preflight.runs import check_components, check_runs
from tgap.pipeline.preparation import _read, prepared
from tgap.store import Store


@dataclass(kw_only=True)
class Counted(SmallCnn):
    """Counts how often it is asked."""

    def check(self) -> list[str]:
        ASKED.append(self)
        return ["the lens is missing"] if self.epochs == 7 else []


ASKED: list[Counted] = []


def labelled(folder: Path, images: int) -> Path:
    """A folder of two labels with so many images each."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(images):
            Image.new("L", (8, 8), 20 * number % 256).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return labelled(tmp_path / "pets", 8)


def test_images_too_small_are_told_before_any_is_read(folder: Path, store: Store) -> None:
    words = [f"dataset.path={folder}", "dataset.domain=pet", "dataset.size=8"]
    run = tgap.compose("dataset=image_folder", *words, "generator=copy_tuning_set")
    with pytest.raises(ConfigError, match="small_cnn needs images of at least 16 x 16, got"):
        check_runs([run], store.root.parent)
    assert not (store.root / "dataset").exists()


def composed(folder: Path, *words: str) -> Run:
    return tgap.compose(
        "dataset=image_folder", f"dataset.path={folder}", "dataset.domain=pet", *words
    )


def test_images_are_read_as_the_generator_draws_them(folder: Path) -> None:
    run = composed(folder).fitted()
    assert (run.dataset.image_side(), run.dataset.channels()) == (32, 1)
    assert run == composed(folder, "dataset.size=32", "dataset.color=grey")
    drawn = composed(folder, "generator.image_size=64").fitted()
    assert drawn.dataset.image_side() == 64
    control = composed(folder, "generator=copy_tuning_set")
    assert control.fitted().dataset.identity() == control.dataset.identity()
    assert control.dataset.identity()["size"] == 64
    kept = composed(folder, "dataset.size=40", "dataset.color=rgb")
    assert kept.fitted() == kept


def test_further_sets_are_read_as_the_dataset_is(folder: Path) -> None:
    other = ["+dataset@external.b=image_folder", f"external.b.path={folder}"]
    grey = composed(folder, *other, "dataset.color=grey", "external.b.domain=pet").fitted()
    assert (grey.external["b"].image_side(), grey.external["b"].channels()) == (32, 1)
    made = ["generator=ready_made", "generator/images=image_folder"]
    made += [f"generator.images.path={folder}", "dataset.size=48", "dataset.color=rgb"]
    generator = composed(folder, *made).fitted().generator
    assert isinstance(generator, ReadyMade)
    assert (generator.images.image_side(), generator.images.channels()) == (48, 3)


def test_a_size_that_does_not_fit_is_told_before_any_is_read(folder: Path, store: Store) -> None:
    (folder / "a" / "0.png").write_bytes(b"no image")
    told = r"must be \(32, 32, 1\).* has \(64, 64, 1\); leave dataset.size and dataset.color out"
    with pytest.raises(ConfigError, match=told):
        check_runs([composed(folder, "dataset.size=64", "dataset.color=grey")], store.root.parent)
    assert not (store.root / "dataset").exists()


FOR_FEW = (
    "; set size=9, or selector=whole (all of the pool), a larger pool_size, or a selector that "
    "repeats images; or, as there are so few images, add `profile=few protocol.fold=0,1,2,3,4 -m` "
    "to the command and leave size out (docs/few_images.md)"
)


@pytest.mark.parametrize(
    ("images", "words", "named"),
    [(15, (), True), (11, (), False), (101, (), False), (15, ("protocol=cross_fit",), False)],
)
def test_a_size_that_so_few_images_do_not_have_is_told_with_the_way_for_few(
    tmp_path: Path, store: Store, images: int, words: tuple[str, ...], named: bool
) -> None:
    run = composed(labelled(tmp_path / "pets", images), *words)
    with pytest.raises(ConfigError, match="size=500 asks for 500 images of label 'a'") as told:
        check_runs([run], store.root.parent)
    assert (FOR_FEW in str(told.value)) == named
    assert ("profile=few protocol.fold" in str(told.value)) == named


def test_controls_beside_generators_need_a_size(folder: Path, store: Store) -> None:
    runs = [composed(folder), composed(folder, "generator=copy_tuning_set")]
    with pytest.raises(ConfigError, match=r"dataset\.size must be set.* draw images of 32 to 64"):
        check_runs(runs, store.root.parent)


def test_prompts_are_read_until_their_images_are_drawn(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes libraries that load for longer than all else of a run that is in the store."""
    asked: list[Run] = []
    read = data_checks.check_prompts

    def noted(run: Run, pool: ImageSet) -> list[str]:
        asked.append(run)
        return read(run, pool)

    monkeypatch.setattr(data_checks, "check_prompts", noted)
    monkeypatch.setattr(data_checks, "_told_apart", lambda *_: ([], []))  # it takes torch
    words = "pool_size=6 train_size=4 test_size=4 size=2 budget.equal=false".split()
    run = composed(folder, *words, "finetuner=none")
    for drawn in (False, True):
        if drawn:
            store.get_or_make(
                plan(run.fitted()).synthetic, lambda to: (to / "images").write_text("drawn")
            )
        asked.clear()
        check_runs([run], store.root.parent)
        assert len(asked) == (not drawn)
    other = composed(folder, *words, "finetuner=none", "prompts.generation=a {label}")
    check_runs([run, other], store.root.parent)
    assert [each.prompts for each in asked] == [other.prompts]


SIDES = "pool_size=6 train_size=4 test_size=4 dataset.size=32 size=2".split()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "generator=held_out_real budget.train_per_label=2 budget.test_per_label=3",
            "'held_out_real' needs 5 held-out images of label 'a'.* the pool has 1",
        ),
        ("generator=interpolate size=1", "needs two different tuning images of label 'a', got 1"),
        (
            "generator=copy_with_jitter generator.autoencoder=true dataset.size=30",
            "takes square images with sides of a multiple of .* got 30 x 30",
        ),
        (
            "train_size=2 classifier=logistic_regression",
            "the classifier of real_train cannot be trained: no image can be held back for "
            "validation",
        ),
    ],
)
def test_what_labels_and_patients_rule_out_is_told_before_a_stage(
    folder: Path, store: Store, words: str, told: str
) -> None:
    run = composed(folder, *SIDES, *words.split())
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        check_runs([run], store.root.parent)
    assert not (store.root / "selection").exists()


def test_a_label_on_every_training_image_is_told(folder: Path, store: Store) -> None:
    rows = [f"{name}/{number}.png,{name}|photo" for name in "ab" for number in range(7)]
    rows += ["a/7.png,a", "b/7.png,b"]
    (folder / "t.csv").write_text("\n".join(["file,label", *rows]))
    run = composed(folder, *SIDES, "dataset.table=t.csv", "split_seed=1")
    with pytest.raises(ConfigError, match=r"no image without label 'photo' .* of real_train"):
        check_runs([run], store.root.parent)


def test_labels_elsewhere_that_are_written_in_another_way_are_told(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "b").rename(other / "B")
    words = ["+dataset@external.x=image_folder", f"external.x.path={other}", "external.x.domain=y"]
    with pytest.raises(ConfigError, match=r"got B, a; 'B' is 'b' written in another way"):
        check_runs([composed(folder, *SIDES, *words)], store.root.parent)


def test_equal_components_are_asked_once() -> None:
    ASKED.clear()
    runs = [{"classifier": Counted(epochs=epochs)} for epochs in (7, 7, 8, 7)]
    assert check_components(runs) == ["the lens is missing"]
    assert [classifier.epochs for classifier in ASKED] == [7, 8]


def test_files_are_listed_once_for_all_runs(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    identity, listed = ImageFolder.identity, ImageFolder.listed
    monkeypatch.setattr(ImageFolder, "identity", lambda self: asked.append("id") or identity(self))
    monkeypatch.setattr(ImageFolder, "listed", lambda self: asked.append("list") or listed(self))
    words = [f"dataset.path={folder}", "dataset.domain=pet", "dataset.size=32"]
    sizes = "pool_size=6 train_size=4 test_size=4 generator=copy_tuning_set".split()
    runs = [
        tgap.compose("dataset=image_folder", *words, *CUT[:-2], *sizes, f"size={n}", "size=2")
        for n in (1, 2, 3)
    ]
    plans = check_runs(runs, store.root.parent)
    assert len(plans) == 3
    assert asked == ["id", "list"]


@pytest.mark.parametrize("reason", [None, "no network"])
def test_nothing_is_fetched_while_something_else_is_wrong_unless_it_fails_at_once(
    reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Far(Component):
        def fetch(self) -> list[str]:
            return ["cannot be had"]

    class Broken(Component):
        def check(self) -> list[str]:
            return ["is broken"]

    monkeypatch.setattr(preflight, "why_no_hub", lambda: reason)
    assert check_components([{"far": Far()}]) == ["cannot be had"]
    told = check_components([{"far": Far(), "a.b": Broken()}])
    assert told == ["a.b: is broken"] + (["cannot be had"] if reason else [])


def test_what_labels_rule_out_is_told_before_an_image_is_read(folder: Path, store: Store) -> None:
    (folder / "a" / "0.png").write_bytes(b"no image")
    run = composed(folder, *SIDES, "size=5", "generator=interpolate")
    with pytest.raises(ConfigError, match="size=5 asks for 5 images of label 'a', but"):
        check_runs([run], store.root.parent)
    few = composed(folder, *SIDES, "size=1", "generator=interpolate")
    with pytest.raises(ConfigError, match="needs two different tuning images of label 'a', got 1"):
        check_runs([few], store.root.parent)
    assert not (store.root / "dataset").exists()


def test_black_images_read_as_a_synthetic_set_are_no_real_ones(folder: Path, store: Store) -> None:
    for number in range(8):
        for name in ("a", "b"):
            Image.new("L", (8, 8)).save(folder / name / f"{number}.png")
    data = plan_data(composed(folder, "dataset.size=32"))
    _read(data.run.dataset, data.dataset, store, "generator.images")
    with pytest.raises(DataError, match="are all one and the same picture"):
        prepared(data, store)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("finetuner=dreambooth_lora finetuner.targets=[to_q,to_x]", "'to_x' ends none of those of"),
        ("finetuner=textual_inversion finetuner.vectors=63", r"vectors must be at most 62, which"),
    ],
)
def test_what_a_finetuner_cannot_tune_is_told_before_anything_is_read(
    words: str, told: str, store: Store
) -> None:
    with pytest.raises(ConfigError, match=told):
        check_runs([tgap.compose(*words.split())], store.root.parent)
    assert not (store.root / "dataset").exists()
