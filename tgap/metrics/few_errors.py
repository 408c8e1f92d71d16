"""Intervals of AUROCs where test images show few errors, or none.

A bootstrap sees no variance where every resample is told apart without an error, and too little
where few errors decide. There a model's variance says what the images cannot, and the interval is
Wilson's: all AUROCs from which the one found is no farther than chance would take it. Of a mean
over seeds (``tgap.metrics.intervals``), the variance is that of a model times the excess ::

    (variance of the mean + unseen) / (the model's + unseen)

and ``unseen`` counts as known in the degrees of freedom; the model stands for the images' part
where resamples are undefined or all equal. Where nothing is in the wrong order, that is Newcombe's
method 5.
"""

from collections.abc import Callable

FEW_ERRORS = 5.0
"""Patients of the rarer side on the wrong one (n (1 - AUROC), or n AUROC), below which an interval
that is symmetric on the logit scale is poor or missing: the usual n p >= 5."""

LEAST_PATIENTS = 2.0
"""Of the rarer side: one alone shows no spread."""

FLOOR_PATIENTS = 10.0
"""Of the rarer side: with fewer, an AUROC of 1 does not exclude one of .8 (``score_ends(1, 10, 1,
1.96)`` begins at .80), so next to nothing can be said of what images are good for."""

ENOUGH_PATIENTS = 40.0
"""Of the rarer side: so many tell an AUROC of .8 to within .1 (1.96 model errors of 40 are .10)."""


def few_errors(auroc: float, patients: float) -> bool:
    """Whether the interval of this module is to be taken.

    Args:
        auroc: Found, in [0, 1].
        patients: Effective number of the rarer side; infinite where it is not known.
    """
    return patients >= LEAST_PATIENTS and patients * min(auroc, 1 - auroc) < FEW_ERRORS


def model_variance(auroc: float, patients: float) -> float:
    """Variance of an AUROC found, from exponential scores (Hanley & McNeil, Radiology 1982).

    In Newcombe's symmetric form (Statistics in Medicine 2006, method 5), of as many positives as
    negatives: the rarer side's number, which is on the safe side where the other has more.

    >>> round(model_variance(0.8, 10), 4)
    0.0104
    """
    other = 1 - auroc
    alike = other / (1 + other) + auroc / (1 + auroc)
    return auroc * other * (1 + (patients - 1) * alike) / patients**2


def unseen_variance(patients: float) -> float:
    """The model's variance where half a pair is in the wrong order: less cannot be seen."""
    return model_variance(1 - 0.5 / patients**2, patients)


def score_ends(
    auroc: float, patients: float, excess: float, quantile: float
) -> tuple[float, float]:
    """Ends of ``{x: |auroc - x| <= quantile sqrt(excess model_variance(x))}``.

    Newcombe's, where the quantile is a normal one, ``excess`` is 1 and both sides have as many
    patients. Unlike an interval around the estimate it has an end at 0 and 1 too.

    Args:
        auroc: Found, in [0, 1].
        patients: Of the rarer side.
        excess: The variance as a multiple of the model's, above 0.
        quantile: Of the normal, or of Student's t, distribution.

    >>> [round(end, 2) for end in score_ends(1.0, 5, 1.0, 1.96)]
    [0.64, 1.0]
    """

    def inside(x: float) -> bool:
        return (auroc - x) ** 2 <= quantile**2 * excess * model_variance(x, patients)

    return _border(inside, auroc, 0.0), _border(inside, auroc, 1.0)


def _border(inside: Callable[[float], bool], within: float, beyond: float) -> float:
    """Where a range ends between a value inside it and one that need not be, by bisection."""
    for _ in range(60):
        middle = (within + beyond) / 2
        within, beyond = (middle, beyond) if inside(middle) else (within, middle)
    return within
