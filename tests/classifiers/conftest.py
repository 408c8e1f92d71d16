"""Set-ups that tests of classifiers share."""

import numpy as np

from tgap.core import ImageSet


def image_set(pixels, labels, names):
    """Images that may only be read, each of a patient of its own."""
    for array in (pixels, labels):
        array.setflags(write=False)
    n = len(pixels)
    return ImageSet(pixels, labels, names, np.zeros((n, 0), dtype=bool), (), np.arange(n))


def fitted(classifier, train, seed=0):
    """The classifier, its weights, and what it logged of each epoch."""
    logged = []
    weights = classifier.fit(
        train, np.random.default_rng(seed), lambda epoch, values: logged.append(values)
    )
    return classifier, weights, logged


def two_kinds(first):
    """``(N, 2)`` labels, of which exactly one holds."""
    return np.stack([first, ~first], axis=1)
