"""What every evaluator must keep, whichever it is."""

import dataclasses
import functools
import json
import pickle
import posixpath
import random
import re
from typing import Any

import numpy as np
import pytest
import torch

from tgap.composition import registry
from tgap.core import ContractError
from tgap.core.digest import plain_json
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.naming import metric_names

from .evidence import NAMES, Made, bare, noisy

GROUP = "evaluator"
KNOWN = {
    "two_way",
    "baselines",
    "fidelity",
    "memorization",
    "occlusion",
    "factors",
    "augmentation",
    "adaptation",
    "subgroups",
    "unlabelled",
}
ONE = ("only",)

RUNS = {
    "of two labels": Made(),
    "of one label": Made(
        train=noisy(120, 1, ONE),
        test=noisy(80, 2, ONE),
        parts=(bare(noisy(100, 3, ONE)), bare(noisy(60, 4, ONE))),
        tuning=noisy(40, 5, ONE),
        unseen=noisy(240, 6, ONE),
        tells_apart=False,
    ),
    "that tuned nothing": Made(tuning=None),
    "whose tuning is unknown": Made(known=False),
    "without metadata and findings": Made(train=bare(noisy(120, 1)), test=bare(noisy(80, 2))),
}

AT_FIRST = {name: pickle.dumps(run) for name, run in RUNS.items()}

each_evaluator = pytest.mark.parametrize("name", registry.names(GROUP))
each_run = pytest.mark.parametrize("run", RUNS)


@dataclasses.dataclass(kw_only=True)
class Flat(Embedder):
    """Stands for the embedder of an evaluator that wants one."""

    def _embed(self, images, features):
        return images.reshape(len(images), -1).astype(np.float32)


def make(name: str) -> Evaluator:
    """An evaluator by its defaults, with few resamples if it resamples."""
    cls = registry.component_class(GROUP, name)
    small = {"embedder": Flat(), "resamples": 100}
    wants = {f.name for f in dataclasses.fields(cls)}
    return cls(**{field: value for field, value in small.items() if field in wants})


def fresh(name: str, run: str) -> Evaluation:
    return make(name).evaluate(RUNS[run], np.random.default_rng(0))


evaluated = functools.cache(fresh)


def content(found: Evaluation) -> dict[str, Any]:
    """All of it as text and bytes: NaN equals NaN."""
    return {
        "metrics": str(dict(found.metrics)),
        "tables": json.dumps({key: [*map(dict, rows)] for key, rows in found.tables.items()}),
        "arrays": {key: (a.shape, a.tobytes()) for key, a in found.arrays.items()},
        "pictures": {key: (p.shape, p.tobytes()) for key, p in found.pictures.items()},
    }


def random_states() -> tuple[Any, ...]:
    return (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_known_ones_are_found() -> None:
    assert len(registry.names(GROUP)) >= 6
    assert set(registry.names(GROUP)) >= KNOWN


def test_the_evidence_here_is_all_that_a_run_has() -> None:
    wanted = {name for name in vars(Evidence) if not name.startswith("_")}
    assert wanted <= set(dir(Made()))


@each_evaluator
def test_says_what_it_is(name: str) -> None:
    cls = registry.component_class(GROUP, name)
    assert issubclass(cls, Evaluator)
    assert cls.stem() == name
    assert not (cls.__doc__ or "").startswith(f"{cls.__name__}(")  # the one dataclass writes
    assert all(f.metadata.get("help") for f in dataclasses.fields(cls))
    assert pickle.loads(pickle.dumps(make(name))) == make(name)
    assert all(isinstance(problem, str) for problem in make(name).check())


@each_run
@each_evaluator
def test_metrics_are_floats_under_names_that_mlflow_takes(name: str, run: str) -> None:
    for metric, value in evaluated(name, run).metrics.items():
        assert type(value) is float, metric
        assert re.fullmatch(r"\w[/\w.\- ]*", metric), metric
        assert posixpath.normpath(metric) == metric


@each_run
@each_evaluator
def test_what_is_kept_can_be_written(name: str, run: str) -> None:
    found = evaluated(name, run)
    plain_json({key: [*map(dict, rows)] for key, rows in found.tables.items()}, finite=False)
    for picture in found.pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
    assert not any(array.dtype.hasobject for array in found.arrays.values())
    kept = [*found.tables, *found.pictures, *found.arrays]
    assert all(re.fullmatch(r"\w[\w.-]*", file) for file in kept)  # they become names of files
    assert "metrics" not in found.tables


@each_evaluator
def test_its_description_names_each_group_of_its_metrics(name: str) -> None:
    metrics = evaluated(name, "of two labels").metrics
    assert metrics
    described = registry.component_class(GROUP, name).__doc__ or ""
    of_labels = "|".join(re.escape(label) for label in metric_names(NAMES))
    for metric in metrics:
        group = re.sub(f"_({of_labels})$", "", metric.partition("/")[0])
        assert re.search(rf"``{group}\b", described), group


@each_run
@each_evaluator
def test_the_evidence_and_the_evaluator_are_left_as_they_are(name: str, run: str) -> None:
    evaluator = make(name)
    fields = dataclasses.asdict(evaluator)
    evaluator.evaluate(RUNS[run], np.random.default_rng(0))
    assert pickle.dumps(RUNS[run]) == AT_FIRST[run]
    assert dataclasses.asdict(evaluator) == fields


@each_run
@each_evaluator
def test_the_same_stream_gives_the_same_whatever_the_global_random_states(
    name: str, run: str
) -> None:
    contents = []
    for state in (1, 2):
        random.seed(state)
        np.random.seed(state)
        torch.manual_seed(state)
        before = random_states()
        contents.append(content(fresh(name, run)))
        assert random_states() == before
    assert contents[0] == contents[1]


@each_evaluator
@pytest.mark.parametrize("leg", ["tstr", "trts", "trtr", "tsts"])
def test_a_missing_leg_is_refused_by_its_name(name: str, leg: str) -> None:
    class Without(Made):
        def legs(self):
            return {other: scores for other, scores in super().legs().items() if other != leg}

    with pytest.raises(ContractError, match=f"scores missing: {leg}"):
        make(name).evaluate(Without(), np.random.default_rng(0))


@each_evaluator
def test_of_one_label_it_finds_no_more_than_of_two(name: str) -> None:
    one, two = (evaluated(name, f"of {labels}").metrics for labels in ("one label", "two labels"))
    assert not any(metric.startswith(("tstr", "trts", "trtr", "tsts", "fter")) for metric in one)

    def without(metric: str, label: str) -> str:
        return metric.removesuffix(f"_{label}").replace(f"/label/{label}/", "/label/")

    of_two = {without(metric, label) for metric in two for label in metric_names(NAMES)}
    assert {without(metric, "only") for metric in one} <= of_two
