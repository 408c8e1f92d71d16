"""How large runs' data are, looked up once for all runs of a sweep that share them."""

from dataclasses import dataclass

from tgap.pipeline.plan import Plan
from tgap.pipeline.preparation import prepared
from tgap.store import Store


@dataclass(frozen=True)
class Extent:
    """How large the data of a run are.

    Args:
        images: In the dataset.
        shape: Height, width and channels of an image.
        labels: How many there are.
        tested: Real images that test classifiers.
    """

    images: int
    shape: tuple[int, ...]
    labels: int
    tested: int


class Extents:
    """How large the data of runs are.

    Args:
        store: Where they are, or come to be.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[tuple[str, str], Extent] = {}

    def of(self, plan: Plan) -> Extent:
        """How large a run's data are, read if no run before it had the same."""
        key = plan.dataset.key, plan.split.key
        if key not in self._known:
            data = prepared(plan, self.store)
            images, tested = data.images(), len(data.sides().real_test)
            shape = images.images.shape[1:]
            self._known[key] = Extent(len(images), shape, len(images.label_names), tested)
        return self._known[key]
