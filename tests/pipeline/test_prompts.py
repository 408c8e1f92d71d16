"""Labels are told apart by what a generator reads of their prompts, before the first stage."""

from pathlib import Path

import numpy as np
import pytest

import tgap
from tests.contracts.small_pipelines import write_3, write_xl
from tests.corpus.making import put_folders
from tgap.composition.config import Run
from tgap.core import ImageSet
from tgap.core.words import other_words
from tgap.generators.base import UNKNOWN
from tgap.generators.stable_diffusion import StableDiffusion
from tgap.generators.stable_diffusion_3 import StableDiffusion3
from tgap.generators.stable_diffusion_xl import StableDiffusionXL
from tgap.pipeline.preflight import prompts
from tgap.pipeline.preflight.prompts import check_embeddings, check_prompts, prompt_advice

TUNED = ("finetuner=dreambooth", "finetuner.prior_weight=0")


def pool(*labels: str, findings: tuple[str, ...] = ()) -> ImageSet:
    """An image of each label, each with all findings."""
    return ImageSet(
        images=np.zeros((len(labels), 1, 1, 1), np.uint8),
        labels=np.eye(len(labels), dtype=bool),
        label_names=labels,
        findings=np.ones((len(labels), len(findings)), bool),
        finding_names=findings,
        patients=np.arange(len(labels)),
    )


def run_with(*words: str, tuned: tuple[str, ...] = TUNED) -> Run:
    return tgap.compose("dataset.domain=wave", *tuned, *words)


@pytest.mark.parametrize("labels", [("Cat", "cat"), ("Böse", "Büse"), ("a  b", "a b")])
def test_labels_that_are_written_apart_and_read_alike_are_refused(labels: tuple[str, str]) -> None:
    tuning, generation = check_prompts(run_with(), pool(*labels, "dog"))
    assert f"must tell labels apart, but generator 'tiny_ldm' reads '{labels[0]}' and" in tuning
    assert f"give one of them other words, e.g. {other_words(labels[1])}" in tuning
    assert tuning.startswith("prompts.tuning must")
    assert generation.startswith("prompts.generation must")


def test_what_they_are_read_as_is_told() -> None:
    problem, _ = check_prompts(run_with(), pool("Böse", "Büse"))
    assert (
        "'an image of Böse wave' and 'an image of Büse wave' are a n</w> i m a g e</w>" in problem
    )
    assert " b <unknown> <unknown> s e</w> w a v e</w> to it;" in problem


@pytest.mark.parametrize(
    "words", ["prompts.wordings={cat: small cat}", "generator=copy_tuning_set"]
)
def test_labels_that_are_told_apart_otherwise_are_fine(words: str) -> None:
    assert check_prompts(run_with(words, tuned=()), pool("Cat", "cat")) == []


def test_learned_words_tell_labels_apart() -> None:
    run = run_with(tuned=("finetuner=textual_inversion",))
    assert check_prompts(run, pool("Cat", "cat")) == []


def test_findings_are_told_apart_too() -> None:
    words = "prompts=findings", "prompts.wordings={Mass: Knot}"
    given = pool("a", "b", findings=("Mass", "knot"))
    problems = check_prompts(run_with(*words), given)
    assert len(problems) == 2
    assert "prompts.tuning must tell findings apart, but generator" in problems[0]
    assert "reads 'Mass' and 'knot' alike" in problems[0]


def test_prompts_with_all_findings_of_an_image_may_be_too_long() -> None:
    given = pool("a", "b", findings=tuple(f"finding {letter}" for letter in "abcdefgh"))
    (problem,) = check_prompts(run_with("prompts=findings"), given)
    assert "prompt must have at most 64 tokens for this generator, got" in problem
    assert "finding g and finding h" in problem


def test_a_class_prompt_that_is_read_as_a_tuning_prompt_is_refused() -> None:
    words = "finetuner.prior_weight=1", "prompts.prior=an image of Dog wave"
    (problem,) = check_prompts(run_with(*words), pool("cat", "dog"))
    assert "prompts.prior must differ from the tuning prompts, but is read as that of l" in problem


def test_what_the_tokenizer_does_not_know_is_told() -> None:
    (text,) = prompt_advice(run_with(), pool("Böse", "dog"))
    assert "generator 'tiny_ldm' cannot read all of the prompt of 'Böse'" in text


def test_labels_that_are_hardly_read_apart_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    given = pool("healthy", "finding", "cat")
    distance = StableDiffusion(packaged="tiny_ldm").prompt_distances(
        ["an image of healthy wave", "an image of finding wave"]
    )
    assert distance is not None
    assert 0.01 < distance[0, 1] < 0.3
    assert prompt_advice(run_with(), given) == []
    monkeypatch.setattr(prompts, "NEAR", 0.3)
    (text,) = prompt_advice(run_with(), given)
    assert "can hardly tell 'healthy' from 'finding': the distance of 'an image of h" in text
    assert f"is {distance[0, 1]:.2g} as it reads them" in text
    monkeypatch.setattr(prompts, "SAME", 0.3)
    assert "prompts.tuning must tell labels apart, but" in check_embeddings(run_with(), given)[0]


def test_a_set_that_is_ready_made_was_asked_for_elsewhere(tmp_path: Path) -> None:
    put_folders(tmp_path)
    made = "+dataset@generator.images=image_folder", f"generator.images.path={tmp_path}"
    run = run_with("generator=ready_made", *made, tuned=())
    assert check_prompts(run, pool("a_b", "a b")) == prompt_advice(run, pool("Böse")) == []


def test_of_several_text_encoders_one_is_enough_to_tell_labels_apart(tmp_path: Path) -> None:
    """None of these knows capitals, but what the CLIPs read as small is unknown to the T5."""
    write_3(tmp_path / "3", t5=True)
    write_xl(tmp_path / "xl")
    texts = {"Cat": "an image of Cat", "cat": "an image of cat"}
    three, xl = StableDiffusion3(path=str(tmp_path / "3")), StableDiffusionXL(path=f"{tmp_path}/xl")
    assert three.check_labels(texts) == []
    assert len(xl.check_labels(texts)) == 1
    tokens = three.prompt_tokens(["Cat"])[0]
    assert tokens == ["c", "a", "t</w>", "|", "▁", UNKNOWN, "a", "t"]
    assert xl.prompt_tokens(["Cat"]) == [["c", "a", "t</w>"]]
    for generator in (three, xl):
        distances = generator.prompt_distances(["cat", "dog", "Cat"])
        assert distances.shape == (3, 3)
        assert distances[0, 2] < 1e-9 < distances[0, 1] <= 2
