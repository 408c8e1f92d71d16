"""Draws more images than are wanted, and keeps what a judge lets pass."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tgap.core import Bools, ContractError, DataError, Indices, option
from tgap.drawings.base import Drawing, DrawnSet, Wanted
from tgap.drawings.judges.base import Judge
from tgap.drawings.rejecting.counts import rates, unfilled
from tgap.drawings.rejecting.queries import Query, Trial, by_difficulty, queries_of

RULES = ("uniform", "prop2diff")
KEPT = ("passed", "random")

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Rejection(Drawing):
    """Rejection sampling by difficulty: DART-Math (Tong et al. 2024, arXiv 2407.13690).

    A query is what an image is asked for with: its label, and the findings that the prompt names.
    Its difficulty is the share of its trials that the judge rejects. ``uniform`` draws until each
    query has as many passed images as a plain set has of it, so that what is hard to draw is not
    the less often in the set; ``prop2diff`` keeps of each as many as its failure rate's share (of a
    label's images). Both end at ``trials`` drawn images for each that is kept; what is lacking then
    is filled with rejected ones, which is told by name and in ``draw/filled``.

    Departures: queries are as often in a set as in the pool, so that ``prop2diff`` weighs a
    failure rate by that; it is estimated on one trial for each image of a plain set, which are also
    the first that are kept; drawing stops at the quota, where the authors' code goes one beyond.

    A judge also rejects the hard images that teach: it is guidance by another name, and may raise
    TRTS and lower TSTR. ``keep=random`` is the twin that any gain must be compared with: it draws
    the same images, and keeps as many of each query by lot. A plain set of as many images as were
    drawn (``cost/draw_images``) is the one of equal work.

    Args:
        judge: Says which images show what they were asked for.
        rule: How many are kept of each query.
        keep: What the judge lets pass, or as many at random.
        keep_any: Share of a label's images that is not judged: as plainly drawn.
        trials: Most images drawn for each that is kept.
    """

    judge: Judge = field(metadata={"help": "which images pass", "choice": "classifier"})
    rule: str = option("uniform", "how many are kept of each prompt", choices=RULES)
    keep: str = option("passed", "what passed, or as many at random", choices=KEPT)
    keep_any: float = option(0.0, "share of images that is not judged", low=0, high=1)
    trials: int = option(4, "most images drawn for each that is kept", low=1, high=1000)

    def judge_used(self) -> Judge | None:
        """Its judge."""
        return self.judge

    def drawn_each(self) -> tuple[int, int]:
        """One if all pass, ``trials`` if none does."""
        return 1, self.trials

    def needs_prompts(self) -> str:
        """By difficulty: a label with one prompt has one difficulty."""
        return "drawing.rule=prop2diff" if self.rule == "prop2diff" else ""

    def _draw(self, wanted: Wanted, rng: np.random.Generator) -> DrawnSet:
        if wanted.judge is None:
            raise ContractError("drawing=rejection needs a judge")
        kept: dict[int, Trial] = {}
        judged = self._judged(wanted.blocks, rng)
        queries = queries_of(wanted, judged, self.trials)
        # All at once, and in the order of a plain set, whose images these are.
        rows = np.arange(len(wanted), dtype=np.int64)
        first = _drawn(wanted, [(row, 0) for row in rows.tolist()])
        for row in np.flatnonzero(~judged).tolist():
            kept[row] = first[row]
        self._take(wanted, queries, [[first[row] for row in q.rows] for q in queries], rng)
        if self.rule == "prop2diff":
            by_difficulty(queries, self.trials)
        while any(counts := [query.coming() for query in queries]):
            asked = [list(q.trials(n)) for q, n in zip(queries, counts, strict=True)]
            made = iter(_drawn(wanted, [trial for own in asked for trial in own]))
            self._take(wanted, queries, [[next(made) for _ in own] for own in asked], rng)
        kept |= self._placed(wanted, queries, rng)
        return self._told(wanted, queries, [kept[row] for row in rows.tolist()], int(judged.sum()))

    def _judged(self, blocks: Indices, rng: np.random.Generator) -> Bools:
        """Which images a judge looks at: of each label all but the share ``keep_any``."""
        judged = np.ones(len(blocks), bool)
        for block in np.unique(blocks):
            own = rng.permutation(np.flatnonzero(blocks == block))
            judged[own[: round(self.keep_any * len(own))]] = False
        return judged

    def _take(
        self,
        wanted: Wanted,
        queries: Sequence[Query],
        trials: Sequence[Sequence[Trial]],
        rng: np.random.Generator,
    ) -> None:
        """Judge the trials of queries, or draw lots for as many as pass."""
        every = [trial for own in trials for trial in own]
        if not every or wanted.judge is None:
            return
        images = np.stack([trial.image for trial in every])
        passed = wanted.judge(images, np.array([trial.row for trial in every], np.int64))
        ends = np.cumsum([len(own) for own in trials])[:-1]
        for query, own, good in zip(queries, trials, np.split(passed, ends), strict=True):
            query.take(own, rng.permutation(good) if self.keep == "random" else good)

    def _placed(
        self, wanted: Wanted, queries: Sequence[Query], rng: np.random.Generator
    ) -> dict[int, Trial]:
        """The images by their places: those of their query, or mixed among their label's.

        By difficulty a query has another number of images than places, so that they are mixed:
        what trains and what tests must be alike.
        """
        if self.rule == "uniform":
            return {row: trial for query in queries for row, trial in query.placed().items()}
        placed: dict[int, Trial] = {}
        for block in np.unique(wanted.blocks).tolist():
            own = [query for query in queries if query.block == block]
            rows = sorted(row for query in own for row in query.rows)
            found = [trial for query in own for trial in query.filled()]
            order = rng.permutation(len(found)).tolist()
            placed |= zip(rows, (found[place] for place in order), strict=True)
        return placed

    def _told(
        self, wanted: Wanted, queries: Sequence[Query], kept: Sequence[Trial], judged: int
    ) -> DrawnSet:
        tried, lacking = sum(q.tried for q in queries), sum(max(q.lacking, 0) for q in queries)
        drawn = tried + len(wanted) - judged
        if tried and not any(query.passed for query in queries):
            raise DataError(
                f"the judge let none of {tried} drawn images pass: it recognises nothing that the "
                "generator draws; choose drawing=plain, another drawing/judge, less or more "
                "sampler.guidance, or more budget.steps"
            )
        metrics = rates(queries, wanted.asked)
        metrics["draw/filled"] = float(lacking)
        log.info("kept %d of %d drawn images", len(kept), drawn)
        for text in unfilled(queries, wanted.asked):
            log.warning(
                "%s; rejected ones fill their places (drawing.trials=%d)", text, self.trials
            )
        return DrawnSet(
            images=np.stack([trial.image for trial in kept]),
            rows=np.array([trial.row for trial in kept], np.int64),
            seeds=[trial.seed for trial in kept],
            trials=drawn,
            judged=tried,
            metrics=metrics,
        )


def _drawn(wanted: Wanted, trials: Sequence[tuple[int, int]]) -> list[Trial]:
    """The images of trials, each a position and the number of its trial there."""
    rows, seeds = [row for row, _ in trials], [wanted.seed(*trial) for trial in trials]
    images = wanted.draw(rows, seeds)
    # Copies: a view would keep all images of its round in memory.
    every = zip(trials, seeds, map(np.copy, images), strict=True)
    return [Trial(row, number, seed, image) for (row, number), seed, image in every]
