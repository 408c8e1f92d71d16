"""A sweep's words go to the runs that can have them."""

import pytest

from tgap.composition.compose import compose_run, hydra_ready
from tgap.composition.sweeps import expand, repeats, tell_idle
from tgap.core import ConfigError


def jobs(line: str) -> list[list[str]]:
    with hydra_ready() as hydra:
        return expand(hydra, line.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "selector=random,clip_spectral selector/embedder=clip",
            ["selector=random", "selector=clip_spectral selector/embedder=clip"],
        ),
        (
            "selector=random,clip_spectral selector.cluster.n_clusters=3,5",  # random once
            [
                "selector=random",
                "selector=clip_spectral selector.cluster.n_clusters=3",
                "selector=clip_spectral selector.cluster.n_clusters=5",
            ],
        ),
        (
            "finetuner=none,dreambooth finetuner/oracle=quantile finetuner.oracle.keep=0.5",
            [
                "finetuner=none",
                "finetuner=dreambooth finetuner/oracle=quantile finetuner.oracle.keep=0.5",
            ],
        ),
        (
            "generator=tiny_ldm,noise generator.device=cpu",
            ["generator=tiny_ldm generator.device=cpu", "generator=noise"],
        ),
    ],
)
def test_parts_go_to_the_options_that_have_them(line: str, expected: list[str]) -> None:
    assert jobs(line) == [job.split() for job in expected]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("selector=random,clip_spectral selector.clster.n=3", "unknown key 'selector.clster.n'"),
        ("selector=random,whole selector/embedder=clip", "has no part 'embedder'"),
        ("selector=random selector/embedder=clip size=1,2", "has no part 'embedder'"),
    ],
)
def test_what_no_option_has_is_an_error(line: str, problem: str) -> None:
    with hydra_ready() as hydra:
        for job in expand(hydra, line.split()):
            with pytest.raises(ConfigError, match=problem):
                compose_run(hydra, job)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("selector=glob(zzz*)", r"selector=glob\(zzz\*\) matches nothing \(one of: clip_kmeans, "),
        ("size=range(5,1)", r"size=range\(5,1\) matches nothing"),
        ("size=interval(1,5)", "a sweep is over single values"),
        ("size=1,2,1", "size=1,2,1 has 1 more than once; leave it out where it repeats"),
    ],
)
def test_a_sweep_over_nothing_is_told(line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        jobs(line)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("seed=1,01", ["seed=1 and seed=01 are the same: leave one out"]),
        ("sampler.guidance=2,2.0 size=5,6", ["sampler.guidance=2 and sampler.guidance=2.0 are"]),
        ("dataset.domain='1','01'", []),  # texts
        ("seed=1,2,10", []),
    ],
)
def test_one_number_in_two_ways_is_one_value(line: str, told: list[str]) -> None:
    with hydra_ready() as hydra:
        words = expand(hydra, line.split())
        found = repeats(words, [compose_run(hydra, job) for job in words])
    assert len(found) == len(told)
    assert all(piece in text for piece, text in zip(told, found, strict=True))


@pytest.mark.parametrize(
    ("word", "sweep", "told"),
    [
        ("hydra/launcher=joblib", False, "on a single run: write -m for a sweep, or leave it out"),
        ("hydra.launcher.n_jobs=2", False, "on a single run: write -m for a sweep"),
        ("hydra.sweep.dir=x", False, "on a single run: write hydra.run.dir=... for its folder, -m"),
        ("hydra.run.dir=x", True, "on a sweep: write hydra.sweep.dir=..., or leave it out"),
        ("hydra/launcher=joblib", True, ""),
        ("hydra.sweep.dir=x", True, ""),
        ("hydra.run.dir=x", False, ""),
        ("size=5", False, ""),
    ],
)
def test_a_word_without_effect_is_told(
    word: str, sweep: bool, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    tell_idle([word], sweep=sweep)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == bool(told)
    assert all(f"{word} has no effect {told}" in line for line in lines)
