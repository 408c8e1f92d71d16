"""Cards: how a run was made, what it is good for, whether images are copied."""

import dataclasses
import errno
import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard, ModelCard

import tgap
from tests.pipeline.export.conftest import Made, changed
from tgap.core import ConfigError, DataError, StoreError
from tgap.core.origin import Origin
from tgap.pipeline.export.audit import audit_of
from tgap.pipeline.export.image_folder import described_set
from tgap.pipeline.export.repeating import command_of, without_folders
from tgap.pipeline.result import Result
from tgap.pipeline.stored import stored
from tgap.store import Store

AUDITED = {
    "memorization/tuning_known": 1.0,
    "memorization/synthetic_images": 200.0,
    "memorization/equal_to_tuning": 0.0,
    "memorization/copied_fraction": 0.01,
    "memorization/copied_false_alarms": 0.02,
    "memorization/mia_auroc": 0.51,
    "memorization/mia_calibrated_auroc": 0.61,
    "memorization/mia_calibrated_auroc/lo": 0.48,
    "memorization/mia_calibrated_auroc/hi": 0.72,
    "memorization/mia_calibrated_p": 0.08,
    "memorization/mia_calibrated_tpr_at_1_fpr": 0.03,
    "memorization/mia_blind_auroc": 0.5,
    "memorization/mia_meaningful": 1.0,
}
LEGS = {
    "tstr/auroc": 0.934,
    "tstr/auroc/lo": 0.918,
    "tstr/auroc/hi": 0.947,
    "trts/auroc": 0.996,
    "trtr/auroc": float("nan"),
    "fter": 0.938,
    "fter/lo": float("nan"),
    "fter/hi": 0.95,
    "fter/meaningful": 0.0,
}


@pytest.fixture(scope="module")
def cards(ran: Result, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("cards") / "out"
    folders = changed(ran, metrics=LEGS | AUDITED).export(out)
    return {folder.name: (folder / "README.md").read_text("utf-8") for folder in folders}


def test_the_hub_reads_their_headers(cards: dict[str, str]) -> None:
    data = DatasetCard(cards["synthetic"]).data
    assert (data.license, data.size_categories) == ("unknown", ["n<1K"])
    assert data.task_categories == ["image-classification"]
    model = ModelCard(cards["generator"]).data
    assert (model.license, model.library_name) == ("apache-2.0", "diffusers")
    assert ModelCard(cards["classifier"]).data.pipeline_tag == "image-classification"


def test_they_say_how_it_was_made_and_what_it_is_good_for(
    ran: Result, cards: dict[str, str]
) -> None:
    for text in cards.values():
        assert "| TSTR | 0.934 (0.918 to 0.947) |" in text
        assert "| TRTS | 0.996 (no interval) |" in text
        assert "| TRTR | not known |" in text
        assert "| FTER | 0.938 (no interval, means nothing here) |" in text
        assert "| method | random+dreambooth |" in text
        assert "| tuning images | 8 different ones (size 4 per label) |" in text
        assert "| their licence | MNIST: CC BY-SA 3.0" in text
        assert "| licence of the base | Apache-2.0 |" in text
        assert "| seed | 0 (of the split 0) |" in text
        assert "diffusers 0." in text
        assert "tgap run sampler.steps=1" in text
        assert "**Warning" not in text
        assert "\n\n\n" not in text
    assert "| even | 60 | 30 |" in cards["synthetic"]
    assert f"`{described_set(ran).known['prompt'][0]}`" in cards["synthetic"]


def test_what_is_not_known_of_an_origin_is_said(
    ran: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(ran.run.dataset), "origin", lambda self: Origin())
    (folder,) = ran.export(tmp_path / "out", ["classifier"])
    text = (folder / "README.md").read_text("utf-8")
    assert "| their source | not known to tgap |\n| their licence | not known to tgap |" in text


@pytest.mark.parametrize(
    ("metrics", "copies", "membership"),
    [
        (
            {},
            "None found beyond what the search errs: 1.0 % of",
            "an AUROC of 0.610 (95 % interval 0.480 to 0.720, p = .080; ",
        ),
        ({"copied_fraction": float("nan")}, "Not known but for exact copies: 0.0 %", ""),
        ({"tuning_known": 0.0}, "Not known: it is not known which", "Not known: it is not known"),
        ({"mia_calibrated_auroc": float("nan")}, "", "Not known: too few held-out real images"),
        ({"mia_meaningful": 0.0}, "", "Not known: an attack that sees no synthetic image tells"),
        ({"equal_to_tuning": 0.01}, "2 of the 200 synthetic images equal a tuning image", ""),
        ({"copied_fraction": 0.2}, "20 % of the synthetic images are copies of tuning", ""),
    ],
)
def test_the_audit_in_words(
    ran: Result, metrics: dict[str, float], copies: str, membership: str
) -> None:
    told = {f"memorization/{name}": value for name, value in metrics.items()}
    audit = audit_of(changed(ran, metrics=AUDITED | told))
    assert copies in audit.copies
    assert membership in audit.membership
    assert len(audit.warnings) == ("are copies" in copies or "equal a tuning" in copies)


def test_an_audit_that_was_not_made_is_not_known(ran: Result) -> None:
    audit = audit_of(changed(ran, metrics=LEGS))
    assert audit.copies == audit.membership
    assert audit.copies.startswith("Not known: no audit was made")
    assert audit.warnings == ()


LEAKS = {
    "memorization/mia_calibrated_auroc": 0.91,
    "memorization/mia_calibrated_auroc/lo": 0.85,
    "memorization/mia_calibrated_auroc/hi": 0.95,
    "memorization/mia_calibrated_p": 0.0001,
}


def test_who_was_tuned_on_is_warned_of_on_top(ran: Result, tmp_path: Path) -> None:
    leaking = changed(ran, metrics=LEGS | AUDITED | LEAKS)  # the plain AUROC stays near chance
    folders = leaking.export(tmp_path / "out")  # no real image is among them: not refused
    assert len(folders) == 3
    for folder in folders:
        text = (folder / "README.md").read_text("utf-8")
        warning, title = text.index("> **Warning: it can be told who"), text.index("\n# ")
        sentence = text.index("> Whoever has the synthetic images can tell tuning images")
        assert warning < sentence < title
        assert text.count("Whoever has the synthetic images can tell") == 1
        assert "an AUROC of 0.910 (95 % interval 0.850 to 0.950, p \\< .001; .5 = not" in text
        assert "real images may be given away" not in text


def test_what_the_attack_may_owe_to_chance_is_no_warning(ran: Result) -> None:
    for chance in ({"calibrated_p": 0.2}, {"calibrated_auroc/lo": 0.45}, {"meaningful": 0.0}):
        changes = {f"memorization/mia_{name}": value for name, value in chance.items()}
        assert audit_of(changed(ran, metrics=AUDITED | LEAKS | changes)).told == ()
    assert audit_of(changed(ran, metrics=AUDITED | LEAKS)).told


def test_copies_refuse_an_export_and_are_warned_of_with_it(ran: Result, tmp_path: Path) -> None:
    copied = changed(ran, metrics=LEGS | AUDITED | {"memorization/equal_to_tuning": 0.01})
    for what in (["synthetic"], ["generator"], []):
        with pytest.raises(DataError, match=r"would be given away: 2 of the 200 .*--with-copies"):
            copied.export(tmp_path / "out", what)
    assert not (tmp_path / "out").exists()
    copied.export(tmp_path / "classifier", ["classifier"])  # no image is in it
    for folder in copied.export(tmp_path / "out", with_copies=True):
        text = (folder / "README.md").read_text("utf-8")
        warning, title = text.index("> **Warning: real images"), text.index("\n# ")
        assert warning < text.index("> 2 of the 200 synthetic images equal") < title


def test_a_control_is_no_synthetic_set_to_be_given_away(made: Made, tmp_path: Path) -> None:
    result = made("generator=held_out_real", "-finetuner.prior_count")
    with pytest.raises(
        DataError, match="control 'held_out_real', which is no model: they are real"
    ):
        result.export(tmp_path / "out")


def test_the_command_is_told_only_if_it_makes_this_run(ran: Result) -> None:
    assert command_of(ran).startswith("tgap run sampler.steps=1 ")
    other = dataclasses.replace(ran, words=("size=3",))
    composed = dataclasses.replace(ran, words=None)
    assert command_of(other) == command_of(composed) == ""
    elsewhere = ("dataset=image_folder", "dataset.path=/gone/x y", "dataset.domain=it's")
    gone = dataclasses.replace(ran, words=elsewhere)
    assert command_of(gone) == (
        "tgap run dataset=image_folder 'dataset.path=PATH/x y' 'dataset.domain=it'\"'\"'s'"
    )


def test_folders_of_the_machine_are_not_told(ran: Result, tmp_path: Path) -> None:
    assert without_folders("a=['/x/y','~/z',b/c]") == "a=['PATH/y','PATH/z',b/c]"
    run = dataclasses.replace(ran.run.pretrained, adapters=["/home/ada/lora"])
    (folder,) = changed(ran, generator=run).export(tmp_path / "out", ["classifier"])
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["generator"]["adapters"] == ["PATH/lora"]
    assert "/home/ada" not in (folder / "README.md").read_text()


def test_an_unknown_part_and_a_folder_that_is_there(ran: Result, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no part 'synthetics' to export; did you mean"):
        ran.export(tmp_path / "out", ["synthetics"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(DataError, match="full is not an empty folder; give the name of a new one"):
        ran.export(tmp_path / "full")
    with pytest.raises(DataError, match=r"cannot write the export to .*x/out"):
        ran.export(tmp_path / "full" / "x" / "out", ["classifier"])


def test_a_full_disk_leaves_nothing_half_written(
    ran: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tgap.pipeline.export.generator.shutil.copytree", full)
    with pytest.raises(DataError, match=r"cannot write the export .*: No space left on device"):
        ran.export(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_was_removed_from_the_store_is_named(ran: Result, tmp_path: Path) -> None:
    for stage in ("evaluation", "scores", "dataset", "split"):
        source = ran.artifacts.synthetic.folder.parents[1] / stage
        shutil.copytree(source, tmp_path / "store" / stage)
    result = stored(ran.plan, Store(tmp_path / "store"))
    with pytest.raises(
        StoreError, match="the run's synthetic set is not in the store: it was removed"
    ):
        result.export(tmp_path / "out", ["synthetic"])
    shutil.rmtree(tmp_path / "store" / "evaluation")
    result = stored(ran.plan, Store(tmp_path / "store"))
    with pytest.raises(StoreError, match=r"evaluations two_way, .* are not in the store"):
        result.export(tmp_path / "out", ["synthetic"])
    assert not (tmp_path / "out").exists()


def test_a_composed_run_has_no_words(ran: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TGAP_HOME", str(ran.artifacts.synthetic.folder.parents[2]))
    assert tgap.run(ran.run, track=False).words is None
