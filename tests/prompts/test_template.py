import pytest
from hypothesis import given
from hypothesis import strategies as st

from tgap.core import ConfigError
from tgap.prompts.template import Template


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([], "no finding"),
        (["mass"], "mass"),
        (["mass", "pleural_effusion"], "mass and pleural effusion"),
        (["a", "b", "c"], "a, b and c"),
    ],
)
def test_findings_are_composed(findings: list[str], words: str) -> None:
    prompts = Template(tuning="{domain}: {findings}")
    assert prompts.text("tuning", "X-ray", ["no_finding"], findings) == f"X-ray: {words}"


def test_wordings_replace_names_of_labels_and_findings() -> None:
    prompts = Template(
        tuning="{label} ({findings})", wordings={"no_finding": "healthy", "mass": "a mass"}
    )
    assert prompts.text("tuning", "X-ray", ["no_finding"]) == "healthy (healthy)"
    assert (
        prompts.text("tuning", "X-ray", ["sick"], ["mass", "nodule"]) == "sick (a mass and nodule)"
    )
    assert prompts.names() == ["no_finding", "mass"]


def test_the_prior_names_the_domain_alone() -> None:
    assert Template().text("prior", "chest X-ray") == "an image of chest X-ray"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prior": "a {findings}"}, r"prior must not contain \{findings\}"),
        ({"tuning": "an image"}, r"tuning must contain \{label\} or \{findings\}"),
        ({"generation": "{label:>5}"}, r"generation may use"),
        ({"generation": "{label"}, r"generation may use"),
        ({"wordings": {"odd": " "}}, "wordings must have words for 'odd'"),
    ],
)
def test_templates_that_cannot_work(fields: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Template(**fields)


def test_a_key_for_one_use_knows_the_texts_of_that_use_only() -> None:
    one, two = Template(), Template(generation="a {label}")
    assert one.identity_of("tuning") == two.identity_of("tuning")
    assert one.identity_of("generation") != two.identity_of("generation")
    worded = Template(wordings={"odd": "uneven"})
    assert worded.identity_of("prior") == one.identity_of("prior")
    assert worded.identity_of("tuning") != one.identity_of("tuning")


@given(st.text(alphabet="abc{}_", max_size=12))
def test_words_with_braces_are_not_templates(words: str) -> None:
    text = Template(wordings={"odd": "x" + words}).text("tuning", "d", ["odd"])
    assert text == f"an image of x{words} d"
