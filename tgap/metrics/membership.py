"""Whether a score tells those who were tuned on (members) from those who were not, and how surely.

Members are few, often ten or twenty; of others there are hundreds. So nothing here needs as many
others as members, and nothing is asymptotic. Images are compared within their stratum: the labels
that they have, because a label may be drawn better than another one, and how many images their
patient has, because who has more of them is picked more often.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from tgap.core import Bools, ContractError, Doubles, Indices

LEAST_MEMBERS = 5
"""A test of fewer finds nothing but a generator that gives nearly all of them away."""
LEAST_OTHERS = 19
"""Others of its stratum that a member needs: by fewer, none can be told at 5 %."""
PATIENTS = (2, 4, 7, 12)
"""Images of a patient from which the next stratum begins: 1, 2 to 3, 4 to 6, 7 to 11, 12 and more.
"""
DRAWS = 9999
LEVEL = 0.95
_NUMBERS = 2**21


class Attack(NamedTuple):
    """How well a score tells members. Ends are of intervals of 95 %.

    Args:
        auroc: Mean over members of the share of others in their stratum that score less (half of
            those that score the same); NaN below 5 members.
        auroc_lo: What lies below is excluded, also below 5 members.
        auroc_hi: What lies above is.
        p: Chance of an AUROC as large if members were drawn at random; NaN below 5 members.
        tpr: Share of members told at 1 % false positives; NaN where fewer than 99 others are in
            every stratum.
        tpr_lo: Lower end.
        tpr_hi: Upper end.
    """

    auroc: float
    auroc_lo: float
    auroc_hi: float
    p: float
    tpr: float
    tpr_lo: float
    tpr_hi: float


UNKNOWN = Attack(*[float("nan")] * len(Attack._fields))


def one_of_each(patients: Indices, rng: Generator) -> Indices:
    """``(P,)`` sorted positions: of each patient a random image, so that none counts twice.

    >>> one_of_each(np.array([7, 7, 7, 2]), np.random.default_rng(0)).tolist()
    [2, 3]
    """
    order = rng.permutation(len(patients))
    _, first = np.unique(patients[order], return_index=True)
    return np.sort(order[first])


def counted_once(members: Bools, patients: Indices, contents: Indices, rng: Generator) -> Indices:
    """``(M,)`` sorted positions: each content once, and of each patient a random one of these.

    A content that stands on both sides counts as a member. Equal images are each other's nearest
    neighbours, so that those of one side alone would look unlike all others.

    Args:
        members: ``(N,)`` bool.
        patients: ``(N,)``; numbers of one side mean nothing on the other.
        contents: ``(N,)``, equal where images are.
        rng: Draws the images.

    >>> members, patients = np.array([True, False, False]), np.array([1, 2, 3])
    >>> counted_once(members, patients, np.array([5, 5, 6]), np.random.default_rng(0)).tolist()
    [0, 2]
    """
    order = np.argsort(~members, kind="stable")
    _, first = np.unique(contents[order], return_index=True)
    rows = np.sort(order[first])
    sides = [rows[members[rows]], rows[~members[rows]]]
    return np.sort(np.concatenate([side[one_of_each(patients[side], rng)] for side in sides]))


def comparable(members: Bools, labels: Bools, images: Indices) -> tuple[Indices, Indices]:
    """Images of the strata that have a member and 19 others at least.

    Args:
        members: ``(N,)`` bool.
        labels: ``(N, L)`` bool; images with the same labels, of patients with about as many
            images (``PATIENTS``), are a stratum.
        images: ``(N,)`` how many images the patient of each has.

    Returns:
        ``(M,)`` rows, rising, and the stratum of each.
    """
    about = np.digitize(images, PATIENTS)
    _, strata = np.unique(np.column_stack([labels, about]), axis=0, return_inverse=True)
    strata = strata.reshape(-1)
    inside, others = (
        np.bincount(strata[side], minlength=len(labels)) for side in (members, ~members)
    )
    rows = np.flatnonzero((inside[strata] > 0) & (others[strata] >= LEAST_OTHERS))
    return rows, strata[rows]


def attack(
    scores: Doubles, members: Bools, strata: Indices, rng: Generator, draws: int = DRAWS
) -> Attack:
    """Judge a score that is larger for members.

    - ``p``: a permutation test within strata, ``(1 + draws as large) / (1 + draws)`` (Phipson &
      Smyth 2010). Its level is exact at any number of members, if, but for the tuning, any image of
      a stratum might as well have been a member: where images are picked at random and patients
      have equally many; nearly so where they have not.
    - AUROC's interval: Clopper & Pearson's, of ``auroc * n`` among n members; no scores have a
      larger variance than ``auroc (1 - auroc) / n`` where there are as many others as members
      (van Dantzig 1951), and n counts the others of a stratum where they are fewer. So it is wide:
      it holds also where some members are given away and others are not.
    - ``tpr``: a member is told if at most 1 % of its stratum's others and itself score as much
      (conformal p), with Clopper & Pearson's interval.

    Args:
        scores: ``(N,)`` real, images of as many patients.
        members: ``(N,)`` bool.
        strata: ``(N,)``, as of ``comparable``.
        rng: Of the draws.
        draws: Permutations of the test.

    Returns:
        NaN where there is no member.

    Raises:
        ContractError: If shapes disagree, or a stratum has no others.
    """
    if not len(scores) == len(members) == len(strata):
        raise ContractError(
            f"scores, members and strata must be of the same images, got {len(scores)}, "
            f"{len(members)} and {len(strata)}"
        )
    if not members.any():
        return UNKNOWN
    groups = [strata == stratum for stratum in np.unique(strata)]
    if any(members[group].all() for group in groups):
        raise ContractError("every stratum must have images that are no members")
    below, found = (
        np.concatenate(part)
        for part in zip(*(_placed(scores[g], members[g]) for g in groups), strict=True)
    )
    count, told = len(below), found[~np.isnan(found)]
    enough = count >= LEAST_MEMBERS
    sizes = [(members[g].sum(), (~members[g]).sum()) for g in groups]
    effective = count**2 / sum(inside**2 / min(inside, others) for inside, others in sizes)
    area = float(below.mean())
    share = float(told.mean()) if len(told) else float("nan")
    return Attack(
        area if enough else float("nan"),
        *clopper_pearson(area * effective, effective),
        _p(scores, members, groups, rng, draws) if enough else float("nan"),
        share,
        *clopper_pearson(share * len(told), len(told)),
    )


def _placed(scores: Doubles, members: Bools) -> tuple[Doubles, Doubles]:
    """Of each member the share of others below, and whether it is told at 1 % (NaN: not known)."""
    others = np.sort(scores[~members])
    left, right = (np.searchsorted(others, scores[members], side) for side in ("left", "right"))
    count = len(others)
    p = (1 + count - left) / (count + 1)
    told = p <= 0.01 + 1e-9 if count >= 99 else np.full(len(p), np.nan)
    return (left + right) / 2 / count, told.astype(np.float64)


def _p(scores: Doubles, members: Bools, groups: list[Bools], rng: Generator, draws: int) -> float:
    from scipy.stats import rankdata

    observed, drawn = 0.0, np.zeros(draws)
    for group in groups:
        inside = int(members[group].sum())
        ranks = rankdata(scores[group]) / (group.sum() - inside)
        observed += ranks[members[group]].sum()
        step = max(1, _NUMBERS // len(ranks))
        for begin in range(0, draws, step):
            block = drawn[begin : begin + step]
            keys = rng.random((len(block), len(ranks)), dtype=np.float32)
            block += ranks[keys.argpartition(inside - 1, axis=1)[:, :inside]].sum(axis=1)
    return float((1 + (drawn >= observed - 1e-9).sum()) / (draws + 1))


def clopper_pearson(successes: float, trials: float) -> tuple[float, float]:
    """Ends of the exact interval of 95 % of a share; whole numbers are not needed.

    >>> [round(end, 3) for end in clopper_pearson(5, 5)]
    [0.478, 1.0]
    """
    from scipy.special import betaincinv  # the same numbers as scipy.stats', read in no time

    if not trials > 0:
        return float("nan"), float("nan")
    tail, failures = (1 - LEVEL) / 2, trials - successes
    lo = float(betaincinv(successes, failures + 1, tail)) if successes > 0 else 0.0
    hi = float(betaincinv(successes + 1, failures, 1 - tail)) if failures > 0 else 1.0
    return lo, hi
