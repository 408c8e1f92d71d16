"""Our runs beside the thesis's numbers."""

import csv
import io

import pytest

from tests.report.runs.planted import SETTINGS, row
from tgap.report.beside import NO_INTERVALS, tables_beside
from tgap.report.tables import as_csv

AS_THESIS = SETTINGS | {
    "generator.class": "stable_diffusion_15",
    "dataset.class": "nih_chestxray14",
    "sampler.guidance": "7.5",
    "protocol.class": "thesis",
    "size_unit": "total",
}


def several(method="random+dreambooth", size=500, settings=AS_THESIS, labels=("unhealthy",)):
    return [
        row(method, size, seed, 0.7 + 0.01 * seed, 0.9, labels, settings=settings)
        for seed in range(4)
    ]


def lines(rows):
    return list(csv.DictReader(io.StringIO(as_csv(tables_beside(rows).in_one()))))


def test_numbers_stand_beside_the_thesis_s_with_differences_and_our_intervals() -> None:
    by_metric = {line["metric"]: line for line in lines(several())}
    assert set(by_metric) == {"tstr/auroc", "tstr/auroc_unhealthy", "trts/auroc", "fter"}
    tstr = by_metric["tstr/auroc"]
    assert (float(tstr["thesis"]), float(tstr["ours"])) == (0.541, pytest.approx(0.715))
    for end in ("", " lo", " hi"):
        difference = float(tstr[f"ours - thesis{end}"])
        assert difference == pytest.approx(float(tstr[f"ours{end}"]) - 0.541)
    assert float(tstr["ours lo"]) < 0.715 < float(tstr["ours hi"])
    assert by_metric["tstr/auroc_unhealthy"]["ours lo"] == ""
    assert {line["set apart"] for line in by_metric.values()} == {""}


def test_it_is_said_that_the_thesis_has_no_intervals_and_what_is_missing() -> None:
    found = tables_beside([*several(), *several("interpolate")])
    text = found.markdown()
    assert text.startswith("## Beside the thesis\n\n### Run as the thesis ran\n\n| method |")
    assert "\n\n\n" not in text
    assert NO_INTERVALS in text
    assert "The thesis has no row for: interpolate at 500 in total." in text
    assert "no run is there of: untuned, pixel, CLIP, textbook, active." in text
    assert "In the thesis, and of no run here: tstr/auroc_no_finding, trts/auroc_unhealthy" in text


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dataset.class": "digits"}, "other images: digits, not ChestX-ray14"),
        ({"protocol.class": "clean"}, "another split: protocol clean, not thesis"),
        ({"sampler.guidance": "3.0"}, "guidance 3.0, not 7.5 (the thesis names none"),
        ({"generator.class": "tiny_ldm"}, "another model: generator tiny_ldm"),
        ({"sampler.guide": "untuned"}, "drawn otherwise: sampler.guide untuned"),
    ],
)
def test_other_runs_are_set_apart_with_the_reason(changed: dict[str, str], reason: str) -> None:
    found = tables_beside([*several(), *several(settings=AS_THESIS | changed)])
    first, second = found.tables
    assert (first.title, first.notes) == ("Run as the thesis ran", ())
    assert len(second.notes) == 1
    assert reason in second.title
    assert second.title.startswith("Set apart")


def test_a_changed_method_is_set_apart_too() -> None:
    (line, *_) = lines(several("clip_spectral+dreambooth (n_clusters=5)", settings=LABEL))
    assert line["set apart"] == "the method was changed: n_clusters=5"


LABEL = AS_THESIS | {"size_unit": "label"}


def test_sizes_must_count_the_same() -> None:
    assert tables_beside(several(settings=LABEL)).tables == []  # of random the thesis counts all
    active = lines(several("clip_spectral+active_dreambooth", settings=LABEL))
    assert [line["thesis"] for line in active if line["metric"] == "tstr/auroc"] == ["0.637"]
    clusters = lines(several("clip_spectral+dreambooth", 1000, LABEL))
    assert all("does not say what its size counts" in line["note"] for line in clusters)


def test_a_textbook_is_one_only_beside_its_own_data() -> None:
    book = AS_THESIS | {"dataset.class": "textbook"}
    nih = book | {"dataset.real.class": "tgap.datasets.nih_chestxray14.NihChestXray14"}
    phantoms = book | {"dataset.real.class": "tgap.datasets.phantom_xray.PhantomXray"}
    whole = "whole+dreambooth"
    assert {line["set apart"] for line in lines(several(whole, None, nih))} == {""}
    (apart,) = {line["set apart"] for line in lines(several(whole, None, phantoms))}
    assert apart == "other images: PhantomXray, not ChestX-ray14"
    assert tables_beside(several(whole, None)).tables == []  # all of a pool is no textbook


def test_an_fter_near_chance_is_told() -> None:
    poor = [
        row("random+dreambooth", 500, seed, 0.51, 0.52 + 0.01 * seed, settings=AS_THESIS)
        for seed in range(4)
    ]
    for one in poor:
        one.metrics["fter/meaningful"] = 0.0
    (fter,) = [line for line in lines(poor) if line["metric"] == "fter"]
    assert "FTER means nothing here" in fter["note"]
