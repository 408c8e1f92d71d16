"""Whether the synthetic set contains, nearly, the images that the generator was tuned on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tgap.core import Doubles, Floats, Images, ImageSet, Indices, option
from tgap.core.digest import image_digests
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.evaluators.parts.matching import embedded
from tgap.evaluators.parts.pairs import picture_of_pairs
from tgap.metrics.changed_copies import Originals, larger
from tgap.metrics.copies import Resemblance, distinct, resemblance, threshold
from tgap.metrics.gap import CHANCE
from tgap.metrics.membership import UNKNOWN as UNATTACKED
from tgap.metrics.membership import attack, comparable, counted_once
from tgap.metrics.memorization import (
    LEAST_NEGATIVES,
    authenticity,
    blind_scores,
    c_t,
    chance_band,
    closer_than_held_out,
    nearest,
)

ROWS = 200
PAIRS = 32
UNKNOWN = float("nan")


class _Vectors(NamedTuple):
    """``(N, d)`` each; ``tuning`` of distinct contents."""

    tuning: Floats
    synthetic: Floats
    held_out: Floats


@dataclass(kw_only=True)
class Memorization(Evaluator):
    """Copies of tuning images, distances to them, and an attack that infers who was tuned on.

    Held-out real images, of patients that the generator was not tuned on, say what is usual. Of
    the tuning set each content counts once. Without a tuning set there are no metrics.

    *Copies*, laid over each other pixel by pixel (``tgap.metrics.copies``), also after changes that
    people make (``tgap.metrics.changed_copies``); the larger similarity of both searches counts,
    in held-out images too, so that ``false_alarms`` is that of both together:

    - ``memorization/copied_fraction``: synthetic images that resemble a tuning image more than
      ``copied_threshold``: by one half of held-out (by patient), further images exceed it in more
      than ``false_alarms`` with a chance of one in ten at most (``tgap.metrics.copies.threshold``;
      of fewer than 230 patients on average, of fewer than 99 not even that)
    - ``memorization/copied_false_alarms``: share of the other half that exceeds it; what
      ``copied_fraction`` is of a generator that copies nothing
    - ``memorization/equal_to_tuning``: synthetic images that equal a tuning image, which needs no
      held-out images to be told
    - ``memorization/in_real_test``: synthetic images that equal an image of real_test: TSTR is then
      tested on what was trained on
    - ``memorization/tuning_copied_fraction``: tuning images that a suspected copy was found of
    - ``memorization/patient_recognised``: other, real images of tuning patients that resemble an
      image of their own patient most; ``memorization/patient_recognised_chance``, the share of
      that patient among the tuning images; ``memorization/other_images_taken``, those that are
      taken for copies. Only where tuning patients have other images

    Images that are nearly equal in the real data (blank ones, films exported twice) raise the
    threshold: where more than ``false_alarms`` of held-out are, it is near 1, and only copies as
    exact as those are found. So ``copied_fraction`` of 0 means little if ``copied_threshold`` is
    above .99; at most 1 it always is. Another image of a tuning patient that differs from the first
    by no more than a light jitter is taken for its copy: of X-ray phantoms, nearly half are.

    *Distances* of the embedder's vectors (``tgap.metrics.memorization``):

    - ``memorization/closer_than_held_out``: chance that a synthetic image is nearer to the tuning
      set than a held-out one, .5 copies nothing; ``memorization/distance_ratio``: median distance
      to the tuning set, synthetic over held-out
    - ``memorization/c_t`` and ``memorization/c_t_cells``: data-copying z, negative if copying
    - ``memorization/authenticity`` and ``memorization/authenticity_floor``, of held-out images

    *Membership inference* that sees the synthetic set only: members are tuning images, the others
    all held-out images, of each patient one and each content once, compared with those that have
    the same labels and whose patients have about as many images (``tgap.metrics.membership``). An
    image's score is minus its distance to the nearest synthetic image.

    - ``memorization/mia_auroc``, ``memorization/mia_tpr_at_1_fpr``
    - ``memorization/mia_calibrated_...``: the same of the score plus the distance to the nearest
      other real image of either side, so that images that lie near everything are no longer taken
      for members (after Watson et al. 2022, arXiv 2111.08440). Of this one also
      ``mia_calibrated_p``, a permutation test (exact for images that are picked at random from
      patients with equally many), and ``/lo`` and ``/hi`` of an interval of
      95 %. From 5 members on; below, the interval alone says what is excluded
    - ``memorization/mia_blind_auroc``, ``memorization/mia_blind_tpr_at_1_fpr``: of an attack that
      sees no synthetic image. ``memorization/mia_meaningful`` is 1 if its AUROC is no more than
      three standard errors above chance; if it is 0, members differ from others in themselves, as
      those of a selector that clusters do, and the attack's success proves nothing
    - ``memorization/mia_members`` and ``memorization/mia_others``: how many stand behind these; a
      member counts if its stratum has 19 others

    ``memorization/tuning_images`` (distinct), ``memorization/held_out_images`` and
    ``memorization/synthetic_images`` say how many; ``memorization/tuning_known`` is 0 if the images
    that copies are looked for in are real ones that may have been tuned on, or not. A
    metric that too few held-out images stand behind is NaN: below 100 all that need them, and
    copies below ``1 / false_alarms`` in one half.

    The table ``copies`` has the most similar suspected copies, by position in the synthetic set
    (train part, then test part) and in the tuning set. The picture ``copies`` has the most similar
    pairs, suspected or not: synthetic left, tuning image right.

    Args:
        embedder: Makes the vectors; one that takes a classifier gets the real one.
        false_alarms: Share of held-out images that the threshold of copies may take for copies.
        mirror: Whether mirror images (left to right) count as copies.
        changed: Whether turned, cropped, blurred, erased and inverted copies are looked for.
    """

    shown: ClassVar[Sequence[str]] = (
        "memorization/copied_fraction",
        "memorization/equal_to_tuning",
        "memorization/mia_calibrated_auroc",
    )

    version: ClassVar[int] = 7

    embedder: Embedder = field(metadata={"help": "makes the vectors", "choice": "pixels"})
    false_alarms: float = option(
        0.01, "share of held-out images taken for copies", low=0.0001, high=0.2
    )
    mirror: bool = option(True, "whether mirror images count as copies")
    changed: bool = option(True, "look for turned, cropped, blurred, erased, inverted copies too")

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        tuned_on = evidence.tuned_on()
        if tuned_on is None or len(tuned_on) == 0:
            return Evaluation({})
        positions = distinct(tuned_on.images)
        tuning = tuned_on if len(positions) == len(tuned_on) else tuned_on.take(positions)
        synthetic, held_out = evidence.synthetic(), evidence.held_out()
        halving, matching, testing = rng.spawn(3)
        search = self._search(tuning.images)
        resembled = Resemblance(
            *map(np.concatenate, zip(*(search(part.images) for part in synthetic), strict=True))
        )
        usual = search(held_out.images).similarity
        metrics = self._copies(resembled, usual, tuning, held_out, halving)
        others = evidence.other_images()
        if len(others):
            found = search(others.images)
            metrics |= _recognised(found, tuning, others, metrics["copied_threshold"])
        metrics["equal_to_tuning"] = _share_equal(synthetic, tuning)
        metrics["in_real_test"] = _share_equal(synthetic, evidence.real_test())
        metrics["tuning_known"] = evidence.tuning_is_known()
        metrics["synthetic_images"] = sum(map(len, synthetic))
        vectors = _Vectors(
            tuning=self._vectors(evidence, [tuning]),
            synthetic=self._vectors(evidence, synthetic),
            held_out=self._vectors(evidence, [held_out]),
        )
        if evidence.tuning_is_known():  # else held-out images may be tuning images too
            metrics |= _distances(vectors, testing)
            images = evidence.images_of(np.concatenate([tuning.patients, held_out.patients]))
            metrics |= _membership(tuning, held_out, vectors, images, matching)
        metrics |= {"tuning_images": len(tuning), "held_out_images": len(held_out)}
        return Evaluation(
            {f"memorization/{name}": float(value) for name, value in metrics.items()},
            tables={"copies": _table(resembled, synthetic, positions, metrics["copied_threshold"])},
            pictures=_picture(resembled, synthetic, tuning),
        )

    def _vectors(self, evidence: Evidence, parts: Sequence[ImageSet]) -> Floats:
        """Of all parts, one part's pixels at a time: they may lie on disk."""
        vectors = [embedded(self.embedder, evidence, part.images) for part in parts if len(part)]
        return np.concatenate(vectors) if vectors else np.zeros((0, 0), np.float32)

    def _search(self, tuning: Images) -> Callable[[Images], Resemblance]:
        """What tells which tuning images others resemble; the tuning images are made ready once."""
        originals = Originals(tuning, self.mirror) if self.changed else None

        def search(images: Images) -> Resemblance:
            light = resemblance(images, tuning, self.mirror)
            return larger(light, originals.resemblance(images)) if originals else light

        return search

    def _copies(
        self,
        resembled: Resemblance,
        usual: Floats,
        tuning: ImageSet,
        held_out: ImageSet,
        rng: np.random.Generator,
    ) -> dict[str, float]:
        patients = rng.permutation(np.unique(held_out.patients))
        calibrates = np.isin(held_out.patients, patients[::2])
        limit = threshold(usual[calibrates], self.false_alarms, held_out.patients[calibrates])
        copied = resembled.similarity > limit
        copies_of = len(np.unique(resembled.original[copied])) / len(tuning)
        return {
            "copied_threshold": limit,
            "copied_fraction": _share_above(limit, resembled.similarity),
            "copied_false_alarms": _share_above(limit, usual[~calibrates]),
            "tuning_copied_fraction": UNKNOWN if np.isnan(limit) else copies_of,
        }


def _recognised(
    found: Resemblance, tuning: ImageSet, others: ImageSet, limit: float
) -> dict[str, float]:
    """How far the search knows persons, by real images that were not tuned on."""
    own = others.patients[:, None] == tuning.patients
    return {
        "patient_recognised": float(own[np.arange(len(own)), found.original].mean()),
        "patient_recognised_chance": float(own.mean()),
        "other_images_taken": _share_above(limit, found.similarity),
    }


def _membership(
    tuning: ImageSet,
    held_out: ImageSet,
    vectors: _Vectors,
    images: Indices,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Attacks that see one image of each patient and content, members and others alike.

    Args:
        tuning: Members, of distinct contents.
        held_out: Others.
        vectors: Of both, and of the synthetic images.
        images: How many images the patient of each has, members first.
        rng: The only source of randomness.
    """
    both = (tuning, held_out)
    members = np.arange(len(tuning) + len(held_out)) < len(tuning)
    digests = [digest for one in both for digest in image_digests(one.images)]
    contents = np.unique(np.array(digests), return_inverse=True)[1]
    once = counted_once(members, np.concatenate([one.patients for one in both]), contents, rng)
    labels = np.ones((len(members), 1), np.bool_)  # those of the tuning images may not be known
    if tuning.label_names == held_out.label_names:
        labels = np.concatenate([one.labels for one in both])
    rows, strata = comparable(members[once], labels[once], images[once])
    rows = once[rows]
    members = members[rows]
    counts = int(members.sum()), int((~members).sum())
    scores: dict[str, Doubles | None] = dict.fromkeys(("mia", "mia_calibrated", "mia_blind"))
    if counts[0] and len(held_out) >= LEAST_NEGATIVES and len(vectors.synthetic):
        attacked = np.concatenate([vectors.tuning, vectors.held_out])[rows]
        patients = np.arange(len(attacked))
        nearness = -nearest(attacked, vectors.synthetic)[0]
        # Members and others have the same neighbours, or the neighbours would tell them apart.
        usual = nearest(attacked, attacked, among_itself=True)[0]
        scores["mia"], scores["mia_calibrated"] = nearness, nearness + usual
        scores["mia_blind"] = blind_scores(attacked, members, patients, rng)
    metrics: dict[str, float] = {"mia_members": counts[0], "mia_others": counts[1]}
    for name, of_images in scores.items():
        judged = UNATTACKED if of_images is None else attack(of_images, members, strata, rng)
        metrics |= {f"{name}_auroc": judged.auroc, f"{name}_tpr_at_1_fpr": judged.tpr}
        if name == "mia_calibrated":
            metrics[f"{name}_p"] = judged.p
            metrics |= {
                f"{name}_{of}/{end}": getattr(judged, f"{field}_{end}")
                for of, field in (("auroc", "auroc"), ("tpr_at_1_fpr", "tpr"))
                for end in ("lo", "hi")
            }
    blind = metrics["mia_blind_auroc"]
    band = chance_band(*counts) if min(counts) else UNKNOWN
    metrics["mia_meaningful"] = UNKNOWN if np.isnan(blind) else float(blind <= CHANCE + band)
    return metrics


def _share_equal(synthetic: Sequence[ImageSet], real: ImageSet) -> float:
    """Share of the synthetic images that equal one of the real ones, pixel by pixel."""
    digests = set(image_digests(real.images))
    equal = [digest in digests for part in synthetic for digest in image_digests(part.images)]
    return float(np.mean(equal)) if equal else UNKNOWN


def _share_above(limit: float, similarity: Floats) -> float:
    unknown = np.isnan(limit) or not len(similarity)
    return UNKNOWN if unknown else float((similarity > limit).mean())


def _distances(vectors: _Vectors, rng: np.random.Generator) -> dict[str, float]:
    """Metrics of distances to the nearest tuning image."""
    names = ("closer_than_held_out", "distance_ratio", "c_t", "c_t_cells", "authenticity_floor")
    metrics = dict.fromkeys((*names, "authenticity"), UNKNOWN)
    if not len(vectors.synthetic):
        return metrics
    near, whose = nearest(vectors.synthetic, vectors.tuning)
    several = len(vectors.tuning) > 1
    among = nearest(vectors.tuning, vectors.tuning, among_itself=True)[0] if several else None
    if among is not None:
        metrics["authenticity"] = authenticity(near, whose, among)
    if len(vectors.held_out) < LEAST_NEGATIVES:
        return metrics
    usual, usual_whose = nearest(vectors.held_out, vectors.tuning)
    metrics["closer_than_held_out"] = closer_than_held_out(near, usual)
    if np.median(usual) > 0:
        metrics["distance_ratio"] = float(np.median(near) / np.median(usual))
    z, cells = c_t(vectors.synthetic, vectors.held_out, vectors.tuning, rng)
    metrics |= {"c_t": z, "c_t_cells": float(cells)}
    if among is not None:
        metrics["authenticity_floor"] = authenticity(usual, usual_whose, among)
    return metrics


def _table(
    resembled: Resemblance, synthetic: Sequence[ImageSet], positions: Indices, limit: float
) -> list[dict[str, Any]]:
    """Suspected copies, the most similar first."""
    labels = np.concatenate([part.labels for part in synthetic])
    names = np.array(synthetic[0].label_names)
    order = np.argsort(-resembled.similarity, kind="stable")
    suspected = order[resembled.similarity[order] > limit][:ROWS]
    return [
        {
            "synthetic": int(row),
            "tuning": int(positions[resembled.original[row]]),
            "similarity": float(resembled.similarity[row]),
            "threshold": limit,
            "mirrored": bool(resembled.mirrored[row]),
            "label": ", ".join(names[labels[row]]),
        }
        for row in suspected
    ]


def _picture(
    resembled: Resemblance, synthetic: Sequence[ImageSet], tuning: ImageSet
) -> dict[str, Images]:
    """The most similar pairs."""
    train = synthetic[0]
    pairs = []
    for row in np.argsort(-resembled.similarity, kind="stable")[:PAIRS]:
        part, at = (train, row) if row < len(train) else (synthetic[1], row - len(train))
        pairs.append((part.images[at], tuning.images[resembled.original[row]]))
    return {"copies": picture_of_pairs(pairs)} if pairs else {}
