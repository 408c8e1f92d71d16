"""The answers in words, on runs whose truth is planted."""

from dataclasses import replace

import pytest

from tests.report.runs.planted import content_of, row, rows
from tgap.analysis.parts import mean_of_intervals
from tgap.metrics.legs import SIDE_SHARES
from tgap.report.runs.answers import answers, findings_of, together
from tgap.report.runs.numbers import duration
from tgap.report.runs.run_tables import by_name, further_table


def answered(finished, missing=(), reference=None):
    content = content_of(finished, missing, samples=False, reference=reference)
    found = answers(content.comparison, [run.row for run in content.runs], "dataset digits")
    return {one.question.split()[0] + " " + one.question.split()[-1]: one for one in found}


def text(answer):
    return " ".join(answer.sentences)


def test_a_difference_that_is_shown_names_the_best() -> None:
    found = answered(rows({"a": 0.0, "b": 0.08, "c": 0.01}, seeds=5))
    assert found["Which best?"].short == "b at 100"
    assert found["Is shown?"].short == "Yes, from all 2 others"
    assert found["What concluded?"].short == "That it is so elsewhere"
    told = "b at 100 is better than a at 100: +.078 (+.073 to +.083), p < .001."
    assert told in found["Is shown?"].sentences


def test_a_difference_that_is_not_shown_leaves_it_open() -> None:
    found = answered(rows({"a": 0.0, "b": 0.002}))
    assert found["Which best?"].short.startswith("Open: ")
    assert found["What concluded?"].short == "That one method is better than all others"
    assert found["Is shown?"].short == "No"
    assert "is not shown to differ from" in text(found["Is shown?"])
    assert "no proof that they are equal" in text(found["Is shown?"])


def test_some_differences_may_be_shown() -> None:
    found = answered(rows({"a": 0.0, "b": 0.08, "c": 0.079}, seeds=5))
    assert found["Is shown?"].short == "From 1 of 2 others"


def test_two_seeds_are_no_test() -> None:
    found = answered(rows({"a": 0.0, "b": 0.08}, seeds=2))
    assert found["Is shown?"].short == "It cannot be tested"
    assert "Not tested: b at 100 against a at 100. A test takes 3 seeds" in text(found["Is shown?"])
    assert "Fewer than 3 seeds" in text(found["What concluded?"])


def test_seeds_of_one_synthetic_set_are_told_to_be_none_of_its_generator() -> None:
    made = {"a": 0.0, "b": 0.08}
    finished = [replace(one, synthetic=f"set of {one.method}") for one in rows(made, seeds=5)]
    found = answered(finished)
    assert found["Is shown?"].short == "It cannot be tested"
    assert text(found["Is shown?"]) == (
        "Not tested: b at 100 against a at 100. The seeds of b and a train on one synthetic set, "
        "so how far other draws of its generator differ is not known; evaluate several of them "
        "(--synthetic A B C, or --draws)."
    )
    assert "5 seeds on one synthetic set." in text(found["Which best?"])
    limits = text(found["What concluded?"])
    assert "intervals are for new trainings and new test images" in limits
    assert "All seeds train on one synthetic set, and another one of its generator" in limits
    assert "Fewer than 3 seeds" not in limits


def test_a_trend_over_sizes_of_one_set_each_is_not_for_want_of_seeds() -> None:
    made = rows({"a": 0.0}, sizes=(100, 400))
    finished = [replace(one, synthetic=f"set of {one.size}") for one in made]
    told = text(answered(finished)["Is shown?"])
    assert "Over its sizes 100, 400: not tested, as seeds train on one synthetic set." in told


def test_one_method_has_no_rival() -> None:
    found = answered(rows({"a": 0.0}, sizes=(100, 400)))
    assert found["Which best?"].short == "Only one was run: a"
    assert found["Is shown?"].short == "Nothing to compare"
    assert "Over its sizes 100, 400: no trend is shown" in text(found["Is shown?"])


def test_only_the_reference_is_compared_with() -> None:
    found = answered(rows({"a": 0.0, "b": 0.08, "c": 0.01}, seeds=5), reference="a")
    assert found["Is shown?"].short == "Yes"
    assert "better than a at 100" in text(found["Is shown?"])


def test_what_is_lost_is_the_comparison_s_number() -> None:
    found = answered(rows({"a": 0.0}))
    assert "reaches .80" in text(found["What for?"])
    assert ".950 (TRTR). The loss is .1" in text(found["What for?"])
    assert "FTER .8" in text(found["What for?"])


def test_fter_that_means_nothing_is_not_read() -> None:
    finished = [row("a", seed=seed, tstr=0.5, trts=0.52) for seed in range(3)]
    for one in finished:
        one.metrics["fter/meaningful"] = 0.0
    found = answered(finished)
    assert "FTER means nothing here" in text(found["What for?"])
    assert "FTER .9" not in text(found["What for?"])
    assert "FTER must not be read" in text(found["What concluded?"])


def test_copies_are_told_and_those_of_controls_are_not_the_methods() -> None:
    clean, control = rows({"a": 0.0}), rows({"copies": 0.1}, is_control=True)
    for one in control:
        one.metrics["memorization/copied_fraction"] = 1.0
    found = answered([*clean, *control])["Are copied?"]
    assert found.short == "None were found"
    assert "copies at 100: 100.0 % are taken for copies of a tuning image" in text(found)
    assert "told of in 3 of 3 runs" in text(found)
    clean[0].metrics["memorization/copied_fraction"] = 0.5
    assert answered([*clean, *control])["Are copied?"].short == "Yes, in some runs"
    assert answered(control)["Are copied?"].short == "Only controls were looked at"


def test_copies_that_are_not_known_are_not_called_none() -> None:
    finished = rows({"a": 0.0})
    for one in finished:
        one.metrics["memorization/copied_fraction"] = float("nan")
    found = answered(finished)["Are copied?"]
    assert found.short == "Not known for all"
    assert "is not known" in text(found)


def copies_of(**metrics) -> str:
    finished = [replace(one, metrics=one.metrics | metrics) for one in rows({"a": 0.0})]
    return text(answered(finished)["Are copied?"])


def test_what_is_not_known_of_copies_is_told_with_its_cause() -> None:
    names = ("copied_fraction", "tuning_known", "equal_to_tuning")
    copied, known, equal = (f"memorization/{name}" for name in names)
    few = copies_of(**{copied: float("nan"), equal: 0.25})
    assert "not known (too few images to tell); 25.0 % equal a tuning image exactly" in few
    why = "it is not known which real images the generator was tuned on"
    unsure = copies_of(**{known: 0.0, copied: 0.01, equal: 0.25})
    assert f"near-copies is not known ({why}); 25.0 % equal a real image exactly" in unsure
    assert "too few" not in unsure
    many = copies_of(**{known: 0.0, copied: 0.5})
    assert (
        f"50.0 % are taken for copies of a real image (of other real images 1.0 %); {why}" in many
    )
    assert "tuning image" not in many
    assert "50.0 % are taken for copies of a tuning image (of" in copies_of(**{copied: 0.5})


def test_cost_is_what_things_took_when_they_were_made() -> None:
    finished = rows({"a": 0.0})
    found = answered(finished)["What cost?"]
    assert found.short == "30 s for 3 runs"  # 1 + 2 once, and 8 + 9 + 10
    assert "a at 100: 12 s a run if nothing is reused, most of it finetune (11 s)." in text(found)
    assert "The runs themselves took 33 s" in text(found)
    assert "In the store already: prepare in 3 of 3 runs." in text(found)
    for run in finished:
        run.metrics.update({"reused/finetune": 1.0, "seconds/finetune": 0.0})
    again = answered(finished)["What cost?"]
    assert (again.short, again.sentences[0]) == (found.short, found.sentences[0])
    assert "The runs themselves took 0.0 s" in text(again)
    assert "prepare in 3 of 3 runs, finetune in 3 of 3 runs." in text(again)


def test_cost_that_was_not_written_down_is_not_made_up() -> None:
    finished = [replace(one, costs=()) for one in rows({"a": 0.0})]
    assert answered(finished)["What cost?"].short == "Not recorded"


def test_durations() -> None:
    told = [duration(s) for s in (0.04, 9.96, 59.7, 61, 3599.8, 86400)]
    assert told == ["0.0 s", "10 s", "1 min", "1 min 1 s", "1 h", "24 h"]


def test_rows_of_one_method_are_named_together() -> None:
    groups = content_of(rows({"a": 0.0, "b": 0.0}, sizes=(100, 200)), samples=False).comparison
    assert together(groups.groups, groups.groups) == "a at 100, 200; b at 100, 200"


def test_what_runs_say_is_counted_over_a_method_s_runs() -> None:
    finished = rows({"a": 0.0}, sizes=(100, 200))
    content = content_of(finished, samples=False)
    found = findings_of(content.comparison, finished)["a"]
    often, sentence = found[0]
    assert often == "6 of 6 runs"
    assert sentence.startswith("The synthetic images teach")
    assert sentence.endswith("(size 200, seed 0).")


def recorded_again(run, **metrics):
    """The same result, recorded by a later run whose evaluation found something else."""
    return replace(run, metrics=run.metrics | {"seconds/finetune": 0.0, **metrics})


def test_a_run_that_was_recorded_twice_counts_once() -> None:
    first = rows({"a": 0.0})
    copied = {"memorization/copied_fraction": 0.5}
    reused = {"reused/finetune": 1.0}
    finished = [*first, *(recorded_again(one, **copied, **reused) for one in first[:2])]
    found = answered(finished)
    assert "told of in 2 of 3 runs" in text(found["Are copied?"])  # the later record, as the table
    assert "33.7 % are taken for copies" in text(found["Are copied?"])
    assert found["What cost?"].short == "30 s for 5 runs"  # what they share counts once
    assert "a at 100: 12 s a run" in text(found["What cost?"])
    content = content_of(finished, samples=False)
    said = findings_of(content.comparison, finished)["a"]
    assert {often for often, _ in said} == {"3 of 3 runs", "2 of 3 runs"}


def test_one_result_of_several_seeds_counts_once() -> None:
    finished = [replace(one, evaluation_key="one") for one in rows({"a": 0.0})]
    assert "told of in 0 of 1 run" in text(answered(finished)["Are copied?"])


def test_means_of_labels_and_likeness_are_those_of_the_table() -> None:
    finished = rows({"a": 0.0})
    for one, value in zip(finished, (0.6, 0.7, 0.8), strict=True):
        one.metrics.update({"tstr/auroc_even": value, "trtr/auroc_even": value + 0.1})
        one.metrics["fidelity/coverage"] = value
        one.metrics["memorization/mia_auroc"] = 0.99
        one.metrics["memorization/mia_calibrated_auroc"] = value
        members = {"auroc/lo": value - 0.05, "auroc/hi": value + 0.05, "p": value / 1000}
        one.metrics.update(
            {f"memorization/mia_calibrated_{name}": end for name, end in members.items()}
            | {"memorization/mia_meaningful": float(value > 0.65)}
        )
    finished += [recorded_again(finished[0]) for _ in range(9)]
    comparison = content_of(finished, samples=False).comparison
    labels = by_name(comparison, finished, "label").rows
    assert [line[1].numbers[0] for line in labels] == pytest.approx([0.7, 0.8])
    (likeness,) = further_table(comparison, finished).rows
    headings = list(further_table(comparison, finished).headings)
    told = {name: cell.numbers for name, cell in zip(headings, likeness, strict=True)}
    assert told["coverage"][0] == pytest.approx(0.7)
    members = mean_of_intervals([(value, value - 0.05, value + 0.05) for value in (0.6, 0.7, 0.8)])
    ends = (members.estimate, members.lo, members.hi)
    assert told["membership inference (AUROC)"] == pytest.approx(ends)
    assert likeness[headings.index("runs that tell members")].text == "2 of 3"


def on_splits(shares, method="a"):
    """Three seeds on three splits."""
    return [
        replace(
            one,
            settings=one.settings | {"split_seed": str(split)},
            metrics=one.metrics
            | {metric: shares.get(side, 0.2) for side, metric in SIDE_SHARES.items()},
            evaluation_key=f"{one.evaluation_key} {split}",
        )
        for split in range(3)
        for one in rows({method: 0.0})
    ]


def on_folds(folds):
    every = [{"protocol.fold": str(fold)} for fold in range(5)]
    return [
        replace(one, split=every[fold], splits=every, evaluation_key=f"{one.evaluation_key} {fold}")
        for fold in folds
        for one in rows({"a": 0.0})
    ]


ANOTHER = "That another split gives the same: intervals"


def test_that_another_split_may_differ_is_told_where_intervals_do_not_include_it() -> None:
    def limits(finished):
        return text(answered(finished)["What concluded?"])

    assert f"{ANOTHER} are for new seeds and new test images." in limits(rows({"a": 0.0}))
    assert f"{ANOTHER} are for new test images." in limits(rows({"a": 0.0}, seeds=1))
    assert "another" not in limits(on_splits({}))
    assert "another" not in limits(on_folds(range(5)))
    assert ANOTHER in limits(on_folds([2]))
    both = limits([*on_splits({}), *rows({"b": 0.0})])
    assert f"{ANOTHER} of b at 100 are for new seeds" in both
    fixed = limits(on_splits({"real_test": 1.0}))
    assert "That another real_test gives the same: all splits share it (a at 100)." in fixed
    assert ANOTHER not in fixed


def test_runs_of_several_splits_are_of_their_row() -> None:
    assert "told of in 0 of 9 runs" in text(answered(on_splits({}))["Are copied?"])
