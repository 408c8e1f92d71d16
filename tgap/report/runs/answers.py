"""What a reader asks first, answered from the comparison in plain words."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tgap.analysis.comparison import PRIMARY, Comparison
from tgap.analysis.groups import RunGroup
from tgap.analysis.readings import COPIED
from tgap.analysis.rows import RunRow
from tgap.analysis.verdicts import verdicts
from tgap.metrics.significance import FEWEST_SEEDS
from tgap.report.differences import one_set_told
from tgap.report.headings import decimal, joined, label_at_size, label_of, size_of, told
from tgap.report.runs.numbers import (
    duration,
    reuse_told,
    rows_of,
    seconds_in_all,
    seconds_of,
    spent_by,
    together,
)
from tgap.report.runs.reach import beyond_intervals, copies_told
from tgap.report.runs.standing import (
    Standing,
    best_of,
    compared,
    difference_told,
    other_than,
    standing_of,
    trends_told,
)

COPY_CODES = ("copies", "exact_copies", "tested_on_synthetic")
UNTUNED = "none"
"""What the method of a generator that is not tuned is called."""


@dataclass(frozen=True)
class Answer:
    """An answer.

    Args:
        question: As a reader would ask it.
        short: In a few words.
        sentences: Numbers, and what they mean.
    """

    question: str
    short: str
    sentences: Sequence[str]


def answers(comparison: Comparison, rows: Sequence[RunRow], scope: str) -> list[Answer]:
    """All answers about a part of a report.

    Args:
        comparison: Its rows.
        rows: Its finished runs.
        scope: What the numbers are of, e.g. ``dataset digits, generator tiny_ldm``.
    """
    found = standing_of(comparison)
    return [
        _which(comparison, found),
        _shown(comparison, found),
        _useful(comparison, found),
        _copied(comparison, rows),
        _cost(comparison, rows),
        _limits(comparison, scope, found),
    ]


def _which(comparison: Comparison, found: Standing) -> Answer:
    question, best, groups = "Which method is best?", found.best, comparison.groups
    if best is None:
        return Answer(question, "Nothing to rank", ["No method has a finished TSTR."])
    name = label_at_size(best, groups)
    if best.method == UNTUNED:  # as a word of a sentence it would say that no method has
        name = f"'{name}' (no fine-tuning)"
    sentences = [
        f"{name} has the highest mean TSTR: {told(best.numbers[PRIMARY])}, "
        f"{_counted(len(best.seeds), 'seed')}{' on one synthetic set' if best.one_set else ''}."
    ]
    for size in sorted({one.size for one in compared(groups) if one.size is not None}):
        leader = best_of([one for one in groups if one.size == size])
        if leader is not None and best.size not in (None, size):
            mean = told(leader.numbers[PRIMARY])
            sentences.append(f"At {size_of(leader)} it is {label_of(leader, groups)}: {mean}.")
    methods = {one.method_key for one in compared(groups)}
    if len(methods) == 1:
        return Answer(question, f"Only one was run: {label_of(best, groups)}", sentences)
    return Answer(question, name if found.sure else f"Open: {name} has the highest mean", sentences)


def _shown(comparison: Comparison, found: Standing) -> Answer:
    question, best, groups = "Is the difference shown?", found.best, comparison.groups
    trends = [] if best is None else trends_told(comparison, best)
    if best is None or not found.pairs:
        why = "There is no row to compare it with: same size, same settings, no control."
        return Answer(question, "Nothing to compare", [why, *trends])
    sentences = []
    for words, pairs in (
        ("better than", found.better),
        ("worse than", found.worse),
        ("not shown to differ from", found.alike),
    ):
        sentences += [
            f"{label_at_size(best, groups)} is {words} {other_than(best, pair, groups)}: "
            f"{difference_told(pair, best)}."
            for pair in pairs
        ]
    if found.alike:
        sentences.append(
            "Not shown to differ is no proof that they are equal. p-values are corrected for all "
            f"{found.alike[0].comparisons} tested pairs of this report (Holm; trends over sizes "
            "by themselves); an interval is of its difference alone."
        )
    reasons: dict[str, list[str]] = {}
    for pair in found.untested:
        reason = f"A test takes {FEWEST_SEEDS} seeds in common, and an interval."
        if one_set := one_set_told(pair, groups):
            reason = f"{one_set[0].upper()}{one_set[1:]}."
        reasons.setdefault(reason, []).append(other_than(best, pair, groups))
    sentences += [
        f"Not tested: {label_at_size(best, groups)} against {joined(others)}. {reason}"
        for reason, others in reasons.items()
    ]
    return Answer(question, found.in_short(), [*sentences, *trends])


def _useful(comparison: Comparison, found: Standing) -> Answer:
    question, best = "What are its images good for?", found.best
    if best is None:
        return Answer(question, "Not known", ["No method has a finished TSTR."])
    lost, numbers = "t_gap/utility_lost", best.numbers
    sentences = [
        f"A classifier trained on its images reaches {decimal(numbers[PRIMARY].estimate)} on real "
        f"test images; one trained on real images, {decimal(numbers['trtr/auroc'].estimate)} "
        f"(TRTR). The loss is {told(numbers[lost])}."
    ]
    if best.fter_meaningful:
        sentences.append(
            "A classifier trained on real images tells the labels of its images with "
            f"{told(numbers['trts/auroc'])} (TRTS): FTER {told(numbers['fter'])}, T-Gap "
            f"{told(numbers['t_gap'])}."
        )
    else:
        sentences.append("FTER means nothing here: TSTR or TRTS is near or below chance (.5).")
    for one in comparison.groups:
        if one.is_control and one.seeds:
            name = label_at_size(one, comparison.groups)
            mean, loss = (told(one.numbers[metric]) for metric in (PRIMARY, lost))
            sentences.append(f"For comparison, control {name}: TSTR {mean}, loss {loss}.")
    of_real = numbers[PRIMARY].estimate, numbers["trtr/auroc"].estimate
    return Answer(question, "TSTR {}, real images {}".format(*map(decimal, of_real)), sentences)


def _copied(comparison: Comparison, rows: Sequence[RunRow]) -> Answer:
    question, said = "Are images copied?", dict[str, list[RunGroup]]()
    found = unknown = looked = False
    for group in comparison.groups:
        those = [row for row in rows_of(rows, group) if COPIED in row.metrics]
        if not those:
            continue
        share, known = copies_told(those)
        told_in = sum(any(code in COPY_CODES for code in codes_of(row)) for row in those)
        text = f"{share}; copies told of in {told_in} of {_counted(len(those), 'run')}"
        said.setdefault(text, []).append(group)
        if not group.is_control:
            found, unknown, looked = found or told_in > 0, unknown or not known, True
    if not said:
        return Answer(question, "Not looked at", ["No run has a tuning set that was audited."])
    short = "Not known for all" if unknown else "None were found"
    short = "Yes, in some runs" if found else short if looked else "Only controls were looked at"
    names = {text: together(those, comparison.groups) for text, those in said.items()}
    return Answer(question, short, [f"{names[text]}: {text}." for text in said])


def codes_of(row: RunRow) -> list[str]:
    """What a run's own numbers say."""
    return [verdict.code for verdict in verdicts(row.metrics)]


def _cost(comparison: Comparison, rows: Sequence[RunRow]) -> Answer:
    question, sentences = "What did it cost?", {}
    for group in comparison.groups:  # sizes ascend: the largest stays
        seconds = seconds_of(rows_of(rows, group))
        if seconds:
            most = max(seconds, key=lambda stage: seconds[stage])
            sentences[group.method_key] = (
                f"{label_at_size(group, comparison.groups)}: "
                f"{duration(math.fsum(seconds.values()))} a run if nothing is reused, most of "
                f"it {most} ({duration(seconds[most])})."
            )
    if not sentences:
        return Answer(question, "Not recorded", ["No run has recorded its seconds."])
    counted = "Seconds are of when things were made; what several runs share counts once in all."
    reused = reuse_told(rows)
    now = f"The runs themselves took {duration(spent_by(rows))}, with reading and writing." + (
        f" In the store already: {reused}." if reused else ""
    )
    in_all = f"{duration(seconds_in_all(rows))} for {_counted(len(rows), 'run')}"
    return Answer(question, in_all, [*sentences.values(), counted, now])


def _limits(comparison: Comparison, scope: str, found: Standing) -> Answer:
    groups = comparison.groups
    rules: dict[str, Callable[[RunGroup], bool]] = {
        f"Fewer than {FEWEST_SEEDS} seeds, so that no difference is tested and a mean may be luck: "
        "{}.": lambda one: len(one.seeds) < FEWEST_SEEDS,
        "All seeds train on one synthetic set, and another one of its generator may lie outside "
        "each interval: {}.": lambda one: one.one_set,
        "Runs are missing, and the means are of the others: {}.": lambda one: bool(one.missing),
        "FTER must not be read, because TSTR or TRTS is near chance: {}.": lambda one: (
            bool(one.seeds) and not one.fter_meaningful
        ),
        "Some seeds learnt next to nothing, so means and intervals say little: {}.": lambda one: (
            bool(one.collapsed)
        ),
        "Controls, of which the truth is known, are no methods to choose: {}.": lambda one: (
            one.is_control
        ),
    }
    sentences = [
        f"That it is so elsewhere: these numbers are of {scope}.",
        *beyond_intervals(groups),
    ]
    for text, holds in rules.items():
        if those := [one for one in groups if holds(one)]:
            sentences.append(text.format(together(those, groups)))
    short = "That it is so elsewhere" if found.sure else "That one method is better than all others"
    if found.best is None or not found.pairs:
        short = "That a method is better than another"
    return Answer("What must not be concluded?", short, sentences)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def findings_of(comparison: Comparison, rows: Sequence[RunRow]) -> dict[str, list[tuple[str, str]]]:
    """By method, what its runs' own numbers say: in how many, and the sentence of one."""
    by_method: dict[str, list[RunRow]] = {}
    for group in comparison.groups:
        by_method.setdefault(label_of(group, comparison.groups), []).extend(rows_of(rows, group))
    found = {}
    for method, those in by_method.items():
        said = [(one.code, one.sentence, row) for row in those for one in verdicts(row.metrics)]
        counts = Counter(code for code, *_ in said)
        # Of the largest size and the first seed: the last one that is put in stays.
        first = {code: (sentence, row) for code, sentence, row in reversed(_by_size(said))}
        found[method] = [
            (f"{counts[code]} of {_counted(len(those), 'run')}", f"{sentence} ({_place(row)}).")
            for code, (sentence, row) in sorted(first.items(), key=lambda one: -counts[one[0]])
        ]
    return {method: sentences for method, sentences in found.items() if by_method[method]}


def _by_size(said: Sequence[tuple[str, str, RunRow]]) -> list[tuple[str, str, RunRow]]:
    return sorted(said, key=lambda one: (-(one[2].size or 0), one[2].seed))


def _place(row: RunRow) -> str:
    return f"seed {row.seed}" if row.size is None else f"size {row.size}, seed {row.seed}"
