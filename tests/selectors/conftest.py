"""Set-ups that tests of selectors share."""

import numpy as np

from tgap.core import ImageSet, Selection
from tgap.selectors.base import Candidates, Selector


def candidates(
    vectors: np.ndarray | None = None,
    findings: np.ndarray | None = None,
    n: int = 0,
    finding_names: tuple[str, ...] = (),
) -> Candidates:
    """Images of a label, each of a patient of its own; ``n`` of them if neither is given."""
    n = next((len(array) for array in (vectors, findings) if array is not None), n)
    vectors = None if vectors is None else vectors.astype(np.float32)
    findings = np.zeros((n, 0), bool) if findings is None else findings
    return Candidates(vectors, findings, np.arange(n), finding_names)


def unit(vectors: np.ndarray) -> np.ndarray:
    vectors = vectors.astype(np.float32).astype(float)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def pool(patients: list[int], labels: list[list[bool]] | None = None, findings=None) -> ImageSet:
    """A pool of black images; without ``labels``, two labels in turn."""
    n = len(patients)
    carried = np.eye(2, dtype=bool)[np.arange(n) % 2] if labels is None else np.array(labels)
    held = np.zeros((n, 0), bool) if findings is None else findings
    return ImageSet(
        np.zeros((n, 1, 1, 1), np.uint8),
        carried,
        tuple("abc"[: carried.shape[1]]),
        held,
        tuple("xyz"[: held.shape[1]]),
        np.array(patients, np.int64),
    )


def select(selector: Selector, data: ImageSet, sizes: list[int], seed: int = 0) -> Selection:
    return selector.select(data, None, sizes, np.random.default_rng(seed))


def of_label(selection: Selection, label: int) -> list[int]:
    return selection.indices[selection.labels == label].tolist()
