"""Words as people type them mean what they say, or are refused with what to write instead."""

import re
import shlex
from pathlib import Path

import pytest

import tgap
from tgap.composition.compose import compose_run, composed, hydra_ready
from tgap.composition.typed import readable
from tgap.core import ConfigError
from tgap.core.words import other_words
from tgap.prompts.template import Template


@pytest.mark.parametrize(
    "value",
    [
        "Röntgenbild",
        "chest X-ray",
        "/data/CheXpert-v1.0 batch 1 (validate & csv)",
        "/d/a=b",
        "a photo of {label}",
        "{label}",
        "~/x",
        "a#b;c!d<e>f^g`h~i",
        "it's",
        'say "x"',
        "C:\\daten\\größe",
        "größe\\",
        "größe\\'s",
        "a[b]",
        "[old] größe",
        "f(x)",
        "(a, b)",
        "日本",
        "a@b:c",
    ],
)
def test_a_text_is_taken_as_it_is_written(value: str) -> None:
    assert tgap.compose(f"dataset.domain={value}").dataset.domain == value


@pytest.mark.parametrize(
    "word",
    ["size=5", "+a.b=x", "~size", "d='a, b'", "d=[a,b]", "d={a: b}", "d=${size}", "d=", "d=null"],
)
def test_what_hydra_reads_stays_as_it_is(word: str) -> None:
    assert readable([word]) == [word]


@pytest.mark.parametrize(
    ("word", "read"),
    [
        ("d=[größe,b]", "d=['größe',b]"),
        ("d={a b: größe, c: 'x, ö'}", "d={a b:'größe',c:'x, ö'}"),
        ("prompts.wordings.No Finding=healthy", "prompts.wordings={No Finding: healthy}"),
        ("d=Röntgen,CT (x),'a, b'", "d='Röntgen','CT (x)','a, b'"),
    ],
)
def test_parts_are_quoted_where_they_must_be(word: str, read: str) -> None:
    assert readable([word], several=True) == [read]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("/data/x", "to read images from a path, write dataset.path=/data/x"),
        ("dataset.domain=chest|xray", "quote both together: 'dataset.domain=chest xray'"),
        ("selectr", "'selectr' is no key=value and no group=option; did you mean 'selector'?"),
        ("selector/pick", "'selector/pick' does not say which: selector/pick=... (one of: closest"),
        ("=x", "has no key before '='"),
        ("größe=x", "'größe' cannot be a key on the command line: Hydra takes letters"),
        ("d={größe: x}", "'größe' cannot be a name on the command line"),
        ("size=1,", "there is nothing before or behind a comma"),
        ("d=Röntgen, CT", "has several values: add -m to sweep over them, or, if all of it is one"),
        ("d=a,b", "quote it: 'd=\"a,b\"'"),
        ("d='a", "cannot be read"),
        ("d=choice(ä,b)", "cannot be read"),
        ("d=x (y) size=5", "these are several overrides in one"),
    ],
)
def test_what_cannot_be_meant_is_told(words: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        readable(words.split("|"))
    assert problem in str(error.value)


def test_the_quoted_word_that_is_shown_is_one_value() -> None:
    assert tgap.compose('dataset.domain="a,b"').dataset.domain == "a,b"


@pytest.mark.parametrize(
    ("word", "quoted", "kept"),
    [
        ("dataset.domain=1e3", "'dataset.domain=\"1e3\"'", "1e3"),
        ("dataset.domain=true", "'dataset.domain=\"true\"'", "true"),
        ("dataset.labels=[true,cat]", "'dataset.labels=[\"true\",cat]'", ["true", "cat"]),
        ("dataset.labels=[1.0,2.50]", "'dataset.labels=[1.0,\"2.50\"]'", ["1.0", "2.50"]),
    ],
)
def test_texts_that_hydra_reads_as_numbers_are_told(
    word: str, quoted: str, kept: str | list[str]
) -> None:
    words = ["dataset=image_folder", "dataset.path=.", "dataset.table=x.csv"]
    with pytest.raises(ConfigError) as told:
        tgap.compose(*words, word)
    assert quoted in str(told.value)
    with hydra_ready(None) as hydra:
        config = composed(hydra, [*words, *shlex.split(quoted)])
    assert kept in (config.dataset.domain, config.dataset.labels)


def test_names_that_are_numbers_are_set_by_themselves() -> None:
    told = r"^prompts\.wordings: a name that is a number is set by itself: prompts\.wordings\.0="
    with pytest.raises(ConfigError, match=told):
        tgap.compose("prompts.wordings={0: zero, 1: one}")


@pytest.mark.parametrize("name", ["0", "no tumor", "grade_2", "異常", "Büse"])
def test_other_words_for_a_label_can_be_typed(name: str, tmp_path: Path) -> None:
    told = other_words(name)
    folder = None
    if "--config-dir" in told:
        folder = str(tmp_path)
        lines = re.findall(r"'(defaults: .*?|wordings: .*?)'", told)
        (tmp_path / "prompts").mkdir()
        (tmp_path / "prompts" / "mine.yaml").write_text("\n".join(lines), encoding="utf-8")
        told = told.split()[0]
    with hydra_ready(folder) as hydra:
        run = compose_run(hydra, readable(shlex.split(told)))
    assert isinstance(run.prompts, Template)
    assert run.prompts.wordings == {name: "other words"}
