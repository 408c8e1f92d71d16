"""An evaluator: are synthetic images as sharp as real ones?"""

from dataclasses import dataclass

import numpy as np

from tgap.core import Doubles, Images, ImageSet, option
from tgap.evaluators.base import Evaluation, Evaluator, Evidence
from tgap.metrics.naming import metric_names


@dataclass(kw_only=True)
class Sharpness(Evaluator):
    """Mean sharpness of the synthetic images of a label over that of the real test images.

    An image's sharpness is the mean difference of neighbouring pixels over its contrast (the
    deviation of its pixels), so that a fainter image is no blurred one.

    - ``sharpness/ratio_{label}``: below 1 for blurred images, above 1 for noisy ones; NaN where a
      side has no image of the label
    - ``sharpness/ratio``: the mean over labels

    The table ``sharpness`` has both sides of each ratio.

    Args:
        most: Images per label that are looked at, drawn at random.
    """

    most: int = option(500, "images per label that are looked at", low=1)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        train_part, _ = evidence.synthetic()
        made, real = (self._means(data, rng) for data in (train_part, evidence.real_test()))
        ratios = np.divide(made, real, out=np.full(len(real), np.nan), where=real > 0)
        names = metric_names(train_part.label_names)  # "mass/nodule" would open a folder in MLflow
        metrics = {f"sharpness/ratio_{n}": float(r) for n, r in zip(names, ratios, strict=True)}
        table = [
            {"label": name, "synthetic": float(ours), "real": float(theirs)}
            for name, ours, theirs in zip(train_part.label_names, made, real, strict=True)
        ]
        return Evaluation(
            {"sharpness/ratio": float(ratios.mean())} | metrics, tables={"sharpness": table}
        )

    def _means(self, data: ImageSet, rng: np.random.Generator) -> Doubles:
        """``(L,)``: mean sharpness of each label's images; NaN for a label without any."""
        rows = [rng.permutation(np.flatnonzero(has))[: self.most] for has in data.labels.T]
        return np.array([sharpness(data.images[r]).mean() if len(r) else np.nan for r in rows])


def sharpness(images: Images) -> Doubles:
    """``(N,)`` from ``(N, H, W, C)``: 0 for an image without contrast."""
    grey = images.mean(axis=3)
    down, right = (np.abs(np.diff(grey, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    contrast = grey.std(axis=(1, 2))
    values: Doubles = (down + right) / np.where(contrast > 0, contrast, np.inf)
    return values
