"""Prompts that tell what a table knows of images."""

import dataclasses

import numpy as np
import pytest

import tgap
from tests.pipeline.conftest import CUT, store
from tgap.core import ConfigError, ImageSet
from tgap.core.bands import bands
from tgap.core.types import no_pixels
from tgap.pipeline import stages
from tgap.pipeline.export.image_folder import described_set
from tgap.pipeline.generation import asked_for
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight.prompts import all_texts, check_prompts
from tgap.pipeline.result import Result
from tgap.prompts.attributes import Attributes
from tgap.store import Store

__all__ = ["store"]
TABLE = {
    "view": np.array(["PA", "AP", "", "PA"]),
    "sex": np.array(["M", "F", "M", "X"]),
    "age": np.array([60.0, 19.9, 45.0, np.nan]),
}
PHANTOMS = ("dataset=phantom_xray", "dataset.images=600", "dataset.size=32", "prompts=attributes")


def films(count: int = 400, seed: int = 0) -> ImageSet:
    """Of two labels, whose views and sexes are not equally often."""
    rng = np.random.default_rng(seed)
    sick = rng.random(count) < 0.4
    return ImageSet(
        images=no_pixels(count),
        labels=np.stack([sick, ~sick], axis=1),
        label_names=("sick", "well"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
        metadata={
            "view": np.where(rng.random(count) < 0.9, "PA", "AP"),
            "sex": np.where(rng.random(count) < 0.7, "M", "F"),
            "age": np.full(count, 50.0),
        },
    )


def test_phrases_say_what_is_known() -> None:
    assert Attributes().attributes_of(TABLE).tolist() == [
        "PA view, male, 60 to 80 years",
        "AP view, female, below 20 years",
        "male, 40 to 60 years",
        "PA view, X",
    ]
    text = Attributes().text("generation", "chest X-ray", ["mass"], [], "PA view, male")
    assert text == "an image of mass chest X-ray, PA view, male"
    assert Attributes().text("tuning", "digit", ["odd"]) == "an image of odd digit"
    assert "view" not in Attributes().text("prior", "digit", attributes="PA view")


def test_bands_part_all_that_is_known() -> None:
    rng = np.random.default_rng(0)
    column = np.where(rng.random(500) < 0.1, np.nan, rng.normal(50, 30, 500))
    found = bands(column, [20, 40, 60])
    assert list(found) == ["below 20", "20 to 40", "40 to 60", "from 60"]
    assert (np.sum(list(found.values()), axis=0) == ~np.isnan(column)).all()
    assert (column[found["20 to 40"]] >= 20).all()


def test_jointly_images_are_drawn_as_without_attributes() -> None:
    data, run = films(), tgap.compose()
    told = dataclasses.replace(run, prompts=Attributes(attributes={"view": "{} view"}, bands={}))
    plain, ours = (asked_for(r, data, np.arange(400)) for r in (run, told))
    assert (plain.labels == ours.labels).all()
    assert plain.metadata == {}
    assert list(ours.metadata) == ["view"]
    share = (ours.metadata["view"] == "PA").mean()
    assert share == pytest.approx((data.metadata["view"] == "PA").mean(), abs=0.03)


def test_balanced_every_combination_of_a_label_is_as_often() -> None:
    data, prompts = films(), Attributes(drawn="balanced")
    members = np.flatnonzero(data.labels[:, 0])
    rows = prompts.draw(data.metadata, members, 40_000, np.random.default_rng(1))
    assert data.labels[rows, 0].all()
    texts, counts = np.unique(
        prompts.attributes_of({n: c[rows] for n, c in data.metadata.items()}), return_counts=True
    )
    assert len(texts) == 4
    assert counts / 40_000 == pytest.approx(0.25, abs=0.01)
    kind = np.flatnonzero((data.metadata["view"] == "PA") & (data.metadata["sex"] == "M"))
    often = np.bincount(rows, minlength=400)[np.intersect1d(kind, members)]
    assert often.std() < 1.5 * often.mean() ** 0.5, "each image of a combination as often"


def test_only_those_that_are_asked_for() -> None:
    data, prompts = films(), Attributes(only={"view": "AP", "age": "40 to 60"})
    members = np.flatnonzero(data.labels[:, 1])
    rows = prompts.draw(data.metadata, members, 500, np.random.default_rng(1))
    assert set(data.metadata["view"][rows]) == {"AP"}
    assert set(data.metadata["sex"][rows]) == {"M", "F"}
    assert prompts.column_problems(data) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"attributes": {}}, "attributes must have a phrase for a column"),
        ({"attributes": {"view": "view"}}, "attributes.view must have {} once"),
        ({"attributes": {"view": "{} {0}"}}, "attributes.view must have {} once"),
        ({"only": {"site": "A"}}, "only.site must be of a column of attributes (view, sex, age)"),
        ({"bands": {"age": [40, 20]}}, "bands.age must be rising numbers, got [40, 20]"),
        ({"drawn": "evenly"}, "drawn must be one of joint, balanced, got 'evenly'"),
        ({"further": ["a {thing}"]}, "further must be templates with {label} or {findings}"),
        ({"further": ["{domain}"]}, "further must be templates with {label} or {findings}"),
        ({"generation": "{label}"}, "generation must contain {attributes}, got '{label}'"),
        ({"tuning": "{x}"}, "{domain} and {attributes} only, got '{x}'"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Attributes(**fields)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"attributes": {"veiw": "{}"}},
            "the table of dataset 'phantom_xray' has no column 'veiw'; did you mean 'view'?",
        ),
        (
            {"bands": {}},
            "prompts.bands.age must have the borders of its bands, because column 'age' has num",
        ),
        ({"only": {"view": "LL"}}, "must be a value of the pool's column (AP, PA), got 'LL'"),
    ],
)
def test_what_the_table_lacks_is_told(fields: dict, said: str) -> None:
    run = dataclasses.replace(tgap.compose("dataset=phantom_xray"), prompts=Attributes(**fields))
    (problem,) = check_prompts(run, films())
    assert said in problem


def test_values_that_no_image_of_a_label_has_are_told() -> None:
    data = films()
    data.metadata["view"][data.labels[:, 1]] = "PA"
    (problem,) = Attributes(only={"view": "AP"}).column_problems(data)
    assert "no image of the pool with label 'well' has view AP" in problem


def test_all_texts_are_known_before() -> None:
    prompts = Attributes(further=["{findings} seen in {domain}"])
    run = dataclasses.replace(tgap.compose("dataset=phantom_xray"), prompts=prompts)
    texts = all_texts(run, films(), "generation")
    assert "an image of sick chest X-ray, AP view, female, 40 to 60 years" in texts
    assert "well seen in chest X-ray" in texts
    assert not any("seen" in text for text in all_texts(run, films(), "tuning"))


def test_a_run_asks_and_tunes_with_them(store: Store) -> None:
    run = tgap.compose(*CUT, *PHANTOMS, "prompts.further=['{label} {domain}']")
    result = Result(plan(run))
    for stage in (stages.prepare, stages.embed, stages.select, stages.finetune, stages.generate):
        stage(result, store)
    assert all(" view" in prompt and " years" in prompt for prompt in result.tuning_set().prompts)
    data = result.synthetic_parts()[0]
    prompts = described_set(result).known["prompt"]
    said = run.prompts.attributes_of(data.metadata)
    further = data.metadata["prompt_template"] == 1
    assert 0.3 < further.mean() < 0.7
    for prompt, attributes, other in zip(prompts, said, further, strict=True):
        assert prompt.endswith(f", {attributes}") != other
    assert plan(run).synthetic.upstream["pool"] == result.plan.split.key


def test_other_prompts_keep_their_keys() -> None:
    assert "attributes" not in str(plan(tgap.compose(*CUT)).synthetic.content())


def test_how_synthetic_images_are_asked_for_is_no_part_of_tuning() -> None:
    words = (*CUT, *PHANTOMS)
    plans = [plan(tgap.compose(*words, f"prompts.drawn={d}")) for d in ("joint", "balanced")]
    assert plans[0].generator == plans[1].generator
    assert plans[0].synthetic != plans[1].synthetic
    other = plan(tgap.compose(*words, "prompts.values.M=man"))
    assert other.generator != plans[0].generator
    assert other.prior == plans[0].prior


def test_finetuners_that_learn_whole_prompts_refuse_them() -> None:
    with pytest.raises(ConfigError, match="prompts 'attributes' are of many more combinations"):
        tgap.compose(*PHANTOMS, "finetuner=textual_inversion")
