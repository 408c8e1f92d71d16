"""Tables of ways to draw and to learn, from runs whose numbers are planted."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.beyond_crossing.table import adapted_lines, adapted_names, classifier_lines
from experiments.beyond_drawing.figure import draw
from experiments.beyond_drawing.table import HEADER, lines, twin_lines, with_others
from experiments.beyond_drawing.ways import beside_plain, plain_of, ways
from experiments.thesis.runs import lines_of
from tests.analysis.test_comparison import row
from tgap.core import ConfigError
from tgap.metrics.significance import holm

SAMPLER = {"sampler.guidance": "3.0", "sampler.scheduler": "dpm_solver"}
SETTINGS = {**SAMPLER, "generator.class": "tiny_ldm", "budget.train_per_label": "300"}
COSTS = {"cost/draw_passes": 9000.0, "diversity/images": 900.0}
NOISE = [0.001, -0.002, 0.0015, 0.0]
OWN = [0.002, 0.001, -0.001, -0.002]
"""Of seeds: what all ways share, and times a way's own TSTR what is its own."""


def runs(way="", tstr=0.8, size=50, metrics=None, **settings):
    said = {name.replace("__", "."): value for name, value in settings.items()}
    method = f"random+dreambooth{way}"
    return [
        replace(
            made := row(method, size, seed, tstr=tstr + noise + tstr * OWN[seed]),
            settings={**SETTINGS, **said},
            metrics={**made.metrics, **COSTS, **(metrics or {})},
        )
        for seed, noise in enumerate(NOISE)
    ]


WORLD = [
    *runs(),
    *runs(tstr=0.81, sampler__guidance="1.0"),
    *runs("+rejection", 0.9),
    *runs("+random_rejection", 0.8),
    *runs(tstr=0.7, sampler__scheduler="ddpm"),
    *runs("+value_based (reward=label)", 0.75, sampler__scheduler="ddpm"),
    *runs(tstr=0.85, sampler__guidance="1.0", sampler__guidance_high="5.0"),
    *runs(tstr=0.78, sampler__guide="early"),
    *runs(tstr=0.82, budget__train_per_label="900"),
]


def test_each_way_is_compared_with_the_plain_one_that_differs_in_nothing_else():
    found = ways(WORLD)
    names = [(way.name, way.guidance) for way in found]
    assert names == [
        ("", "1"),
        ("", "1 to 5"),
        ("", "3"),
        ("guide=early", "3"),
        ("random_rejection", "3"),
        ("rejection", "3"),
        ("scheduler=ddpm", "3"),
        ("train_per_label=900", "3"),
        ("value_based (reward=label) scheduler=ddpm", "3"),
    ]
    plain = {way.name: plain_of(way, found) for way in found if way.name}
    assert (plain["rejection"].name, plain["rejection"].guidance) == ("", "3")
    assert plain["value_based (reward=label) scheduler=ddpm"].name == "scheduler=ddpm"
    more = dict(zip(names, beside_plain(found), strict=True))
    assert more["rejection", "3"].difference.estimate == pytest.approx(0.1)
    assert more["value_based (reward=label) scheduler=ddpm", "3"].difference.estimate == (
        pytest.approx(0.05)
    )
    assert more["", "3"] is None
    assert more["", "1 to 5"].difference.estimate == pytest.approx(0.04, abs=0.001)
    assert more["", "1 to 5"].second.settings["sampler.guidance"] == "1.0"  # the best one number


def test_lines_have_numbers_and_shown_differences(tmp_path):
    found = ways(WORLD)
    table = {(str(one["way"]), one["guidance"]): one for one in lines("digits", found)}
    one = table["rejection", "3"]
    assert (one["size"], one["seeds"], one["passes"]) == (50, 4, "10")
    assert float(one["more_lo"]) < float(one["more"]) < float(one["more_hi"])
    twins = [one for one in twin_lines("digits", found) if one["way"] == "rejection"]
    assert [one["twin"] for one in twins] == ["random_rejection", "train_per_label=900"]
    assert float(twins[0]["more"]) == pytest.approx(0.1, abs=0.001)
    assert not [one for one in twin_lines("digits", found) if "value_based" in str(one["way"])]
    draw([{k: str(v) for k, v in one.items()} for one in table.values()], tmp_path / "f.png")
    assert (tmp_path / "f.png").stat().st_size > 10_000


def test_without_a_plain_run_it_says_what_to_run():
    assert ways(runs()[:1]) == []  # of one seed
    with pytest.raises(ConfigError, match=r"run the first command of README\.md"):
        ways(runs(sampler__guidance_high="5.0"))


def test_what_has_looked_at_real_images_is_compared_with_what_has_not():
    looked = {
        "adapted/none": 0.8,
        "adapted/none/lo": 0.7,
        "adapted/inductive/batch_norm": 0.83,
        "adapted/inductive/batch_norm/lo": 0.7,
        "adapted/inductive/self_trained_on": 0.9,
    }
    world = [*runs(metrics=looked), *runs(classifier__validate="shifted", tstr=0.81)]
    names = adapted_names(world)
    assert names == ["adapted/inductive/batch_norm"]
    found = ways(world, ("trtr/auroc", "adapted/none", *names))
    (line,) = adapted_lines("digits", found, names)
    assert (line["looked_at"], float(line["more"])) == ("inductive/batch_norm", pytest.approx(0.03))
    usual, other = classifier_lines("digits", found)
    assert (usual["classifier"], other["classifier"]) == ("usual", "validate=shifted")
    assert float(other["more"]) == pytest.approx(0.01)


def test_what_a_judge_knows_is_held_against_as_many_tuning_images():
    knows = {"cost/labelled_real": 1950.0}
    world = [
        *runs(),
        *runs("+rejection", 0.9, metrics=knows),
        *runs("+random_rejection", 0.8, metrics=knows),
        *runs(tstr=0.85, size=2000),
        *runs(tstr=0.86, size=2000, sampler__guidance="1.0"),
        *runs(tstr=0.87, size=5000),
    ]
    found = twin_lines("digits", ways(world))
    pairs = [(one["way"], one["twin"], one["twin_size"], one["twin_guidance"]) for one in found]
    assert pairs == [
        ("rejection", "random_rejection", 50, "3"),
        ("rejection", "plain", 2000, "1"),  # the better one
    ]
    assert float(found[1]["more"]) == pytest.approx(0.04)


def test_variation_is_held_against_what_it_begins_with():
    """A control has no guidance; nor is it a way that others are compared with."""
    copies = {"method": "copy_tuning_set", "method_key": "copies", "is_control": True}
    originals = [replace(one, **copies, settings={}) for one in runs(tstr=0.9)]
    more = {"budget__train_per_label": "900"}
    world = [
        *runs(),
        *runs(**more),
        *runs("+variation", 0.88),
        *runs("+variation", 0.89, **more),
        *originals,
    ]
    found = ways(world)
    (control,) = [way for way in found if way.name == "tuning_images"]
    assert (control.guidance, plain_of(control, found)) == ("-", None)
    twins = {(one["way"], one["twin"]): float(one["more"]) for one in twin_lines("digits", found)}
    assert twins == pytest.approx(
        {
            ("variation", "train_per_label=900"): 0.08,
            ("variation train_per_label=900", "train_per_label=900"): 0.09,
            ("variation", "tuning_images"): -0.02,
            ("variation train_per_label=900", "tuning_images"): -0.01,
        },
        abs=0.001,
    )


def test_lines_of_what_is_not_recorded_here_stay(tmp_path):
    file, new = tmp_path / "table.csv", lines("digits", ways(WORLD))
    file.write_text(with_others(file, HEADER, new))
    some = lines("digits", ways([*runs(tstr=0.5), *runs("+rejection", 0.9)]))
    file.write_text(with_others(file, HEADER, some))
    after = {(one["way"], one["guidance"]): one for one in lines_of(file, HEADER)}
    assert len(after) == len(new)
    assert float(after["plain", "3"]["tstr"]) == pytest.approx(0.5, abs=0.001)
    assert float(after["guide=early", "3"]["tstr"]) == pytest.approx(0.78, abs=0.001)
    tested = [one for one in after.values() if one["p_alone"]]
    family = holm(np.array([float(one["p_alone"]) for one in tested]))
    assert len(tested) == len(new) - 4, "the plain ones have none, one of them with each scheduler"
    assert [float(one["p"]) for one in tested] == pytest.approx(list(family), rel=1e-4)
