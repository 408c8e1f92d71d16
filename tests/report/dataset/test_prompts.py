from collections.abc import Sequence

import numpy as np
import pytest

from tgap.core import DataError, Doubles
from tgap.generators.base import Generator
from tgap.prompts.template import Template
from tgap.report.dataset.prompts import prompt_doubts, prompts_told, read_prompts

LABELS = ["cat", "big_dog"]


class Reader(Generator):
    """Reads words, of which all have one letter in common."""

    tunable = True
    broken = ""

    def prompt_tokens(self, texts: Sequence[str]) -> list[list[str]]:
        if self.broken:
            raise DataError(self.broken)
        return [text.split() for text in texts]

    def prompt_distances(self, texts: Sequence[str]) -> Doubles:
        lengths = np.array([float(len(text)) for text in texts])
        return np.abs(lengths[:, None] - lengths)

    def check_prompts(self, texts: Sequence[str]) -> list[str]:
        return [f"'{text}' is long" for text in texts if "big" in text]


class Silent(Generator):
    tunable = False


def test_each_label_is_told_with_its_prompt_and_tokens() -> None:
    read = read_prompts(Template(), Reader(), "pet", LABELS)
    assert list(prompts_told(read)) == [
        "what generator 'reader' reads:",
        "  label cat: 'an image of cat pet', 5 tokens: an image of cat pet",
        "  label big_dog: 'an image of big dog pet', 6 tokens: an image of big dog pet",
    ]
    assert read.distances is None
    assert [str(doubt) for doubt in prompt_doubts(read)] == [
        "'an image of big dog pet' is long. A run stops at this."
    ]


def test_distances_are_asked_for_where_they_are_wanted() -> None:
    read = read_prompts(Template(), Reader(), "pet", [*LABELS, "rat"], distances=True)
    assert read.nearest("cat") == ("rat", 0.0)
    assert read.nearest("big_dog") == ("cat", 4.0)


@pytest.mark.parametrize(
    ("generator", "domain", "told"),
    [
        (Reader(), "", "How prompts will be read is not known: dataset.domain is not set"),
        (Silent(), "pet", "How generator 'silent' reads prompts is not known"),
    ],
)
def test_where_nothing_is_read_it_is_said(generator: Generator, domain: str, told: str) -> None:
    read = read_prompts(Template(), generator, domain, LABELS, distances=True)
    assert list(prompts_told(read)) == [told]
    assert prompt_doubts(read) == []


def test_weights_that_are_not_there_do_not_stop_a_look_at_the_data(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Reader, "broken", "there is no folder sd")
    read = read_prompts(Template(), Reader(), "pet", LABELS)
    assert (
        read.nothing == "How generator 'reader' reads prompts is not known: there is no folder sd"
    )
