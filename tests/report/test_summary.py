import math

from tgap.report.summary import SECTIONS, summary

METRICS = {
    "tstr/auroc": 0.95,
    "trtr/auroc": 0.96,
    "trts/auroc": 0.97,
    "tsts/auroc": 0.98,
    "fidelity/frechet": 0.00512,
    "fidelity/frechet_floor": 0.004,
    "memorization/copied_fraction": 0.984,
    "memorization/copied_false_alarms": 0.01,
    "baseline/metadata_auroc": math.nan,
}


def test_numbers_stand_beside_what_they_are_measured_by():
    lines = summary(METRICS).splitlines()
    frechet = next(line for line in lines if "Frechet" in line)
    assert frechet.split()[-2:] == ["0.00512", "0.004"]
    copies = next(line for line in lines if "copies of tuning images" in line and "%" in line)
    assert copies.split()[-4:] == ["98.4", "%", "1.0", "%"]
    assert next(line for line in lines if "metadata" in line).endswith("not available")


def test_sections_and_lines_without_numbers_are_left_out():
    text = summary(METRICS)
    assert "Membership inference" not in text
    assert "Vendi" not in text
    assert summary({}) == ""


def test_verdicts_stand_below():
    text = summary(METRICS)
    assert "What the numbers say" in text
    assert "- 98 % of the synthetic images are copies" in text


def test_no_line_is_wider_than_a_terminal():
    every = {line.metric: 0.123456 for _, lines in SECTIONS.values() for line in lines}
    every |= {line.reference: 0.1 for _, lines in SECTIONS.values() for line in lines}
    table = summary(every).split("What the numbers say")[0]
    assert len(table.splitlines()) > 15
    assert max(map(len, table.splitlines())) <= 100


def test_copies_of_images_that_are_not_known_are_not_known():
    def line(share: float, equal: float = 0.0) -> list[str]:
        shown = summary(
            METRICS
            | {"memorization/copied_fraction": share, "memorization/equal_to_tuning": equal}
            | {"memorization/tuning_known": 0.0}
        ).splitlines()
        return [
            next(one for one in shown if one.startswith(f"  {words}"))
            for words in ("copies of tuning images", "equal to a tuning image")
        ]

    assert all("not known" in one for one in line(0.0))
    assert all("not known" in one for one in line(math.nan, math.nan))
    copied, equal = line(0.4, 0.001)
    assert "40.0 %" in copied
    assert "0.1 %" in equal
    assert "not known" not in summary(METRICS)
