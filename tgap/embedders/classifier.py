"""Image vectors of the run's own classifier."""

from dataclasses import dataclass
from typing import ClassVar, cast

from tgap.core import Floats, Images
from tgap.embedders.base import Embedder, Features


@dataclass(kw_only=True)
class ClassifierFeatures(Embedder):
    """Features of the run's classifier, trained on real_train: what it looks at before it decides.

    Images that a classifier takes for alike lie close, whatever else tells them apart. real_test
    plays no part in it. The classifier is that of TRTR and TRTS, so it is trained once.
    """

    uses_classifier: ClassVar[bool] = True

    @classmethod
    def stem(cls) -> str:
        """``classifier``; that name is the classifiers' base's."""
        return "classifier"

    def _embed(self, images: Images, features: Features | None) -> Floats:
        return cast("Features", features)(images)  # the base has seen to it
