"""Real sub-classes as clusters."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import DataError
from tgap.selectors.base import Candidates
from tgap.selectors.clusterers.base import Clusterer, Clusters


@dataclass(kw_only=True)
class Findings(Clusterer):
    """One cluster for each finding, and one for the images without any.

    An image with several findings goes to the one that is rarest among the candidates (of equally
    rare ones the first), so that rare findings are not lost to frequent companions. A finding
    that is nobody's rarest has no cluster. The thesis's real sub-classes (section 3.3.1), which
    leaves images with several findings open.
    """

    uses_vectors: ClassVar[bool] = False

    def _cluster(self, candidates: Candidates, rng: np.random.Generator) -> Clusters:
        findings = candidates.findings
        total = findings.shape[1]
        if total == 0:
            raise DataError(
                "cluster=findings needs a dataset that knows findings (sub-classes of its labels), "
                "this one has none; choose another dataset or another cluster"
            )
        counts = np.where(findings, findings.sum(axis=0), len(candidates) + 1)
        rarest = np.where(findings.any(axis=1), counts.argmin(axis=1), total)
        present, labels = np.unique(rarest, return_inverse=True)
        names = [*(candidates.finding_names or map(str, range(total))), "none"]
        return Clusters(
            labels.astype(np.int64, copy=False), notes={"clusters": [names[c] for c in present]}
        )
