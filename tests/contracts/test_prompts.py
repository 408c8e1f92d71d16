"""What all prompts must keep, whichever they are."""

import pytest

from tgap.composition import registry
from tgap.core import ContractError
from tgap.prompts.base import USES, Prompts

GROUP = "prompts"
KNOWN = {"template", "attributes"}

each_prompts = pytest.mark.parametrize("name", registry.names(GROUP))


def make(name: str) -> Prompts:
    return registry.component_class(GROUP, name)()


def test_known_ones_are_found() -> None:
    assert set(registry.names(GROUP)) >= KNOWN


@each_prompts
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Prompts)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes


@each_prompts
@pytest.mark.parametrize("use", USES)
def test_texts_are_texts_and_repeat(name: str, use: str) -> None:
    texts = [make(name).text(use, "chest X-ray", ["no_finding"], ["mass"]) for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0].strip()


@each_prompts
@pytest.mark.parametrize("use", ["tuning", "generation"])
def test_labels_are_told_apart(name: str, use: str) -> None:
    texts = {make(name).text(use, "digit", [label]) for label in ("even", "odd", "neither")}
    assert len(texts) == 3


@each_prompts
@pytest.mark.parametrize("use", ["tuning", "generation"])
def test_all_labels_are_named(name: str, use: str) -> None:
    prompts = make(name)
    texts = {prompts.text(use, "x", labels) for labels in (["a"], ["b"], ["a", "b"])}
    assert len(texts) == 3


@each_prompts
def test_one_text_is_no_list_of_labels(name: str) -> None:
    with pytest.raises(ContractError, match="labels must be a list of names, got the text 'odd'"):
        make(name).text("tuning", "digit", "odd")


@each_prompts
def test_the_prior_is_no_labels_text(name: str) -> None:
    prompts = make(name)
    assert prompts.text("prior", "digit") != prompts.text("tuning", "digit", ["even"])


@each_prompts
@pytest.mark.parametrize("use", USES)
def test_findings_matter_exactly_if_declared(name: str, use: str) -> None:
    prompts = make(name)
    bare, found = (prompts.text(use, "digit", ["odd"], names) for names in ((), ("three",)))
    assert (bare != found) == prompts.names_findings(use)
