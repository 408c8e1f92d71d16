"""Real images, and synthetic ones that exist already, read into the store; and the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tgap.core import DataError, ImageSet, Split
from tgap.datasets.base import Dataset, of_node, warned
from tgap.pipeline.artifacts import ImagesOnDisk, read_images, read_split, write_images, write_split
from tgap.pipeline.plan import DataPlan
from tgap.protocols.base import label_problems
from tgap.store import Artifact, Spec, Store


@dataclass(kw_only=True)
class Data:
    """What was read, as artifacts by the names of the plan."""

    dataset: Artifact
    split: Artifact
    ready_made: Mapping[str, Artifact]
    external: Mapping[str, Artifact]

    def images(self) -> ImageSet:
        """All images of the dataset."""
        return read_images(self.dataset)

    def sides(self) -> Split:
        """Which of them are pool, real_train and real_test."""
        return read_split(self.split)


def prepared(plan: DataPlan, store: Store) -> Data:
    """Read datasets into the store, unless they are there, and split the run's own."""
    run = plan.run
    dataset = _read(run.dataset, plan.dataset, store)
    ready_made, external = run.generator.ready_made(), run.external

    def divide(folder: Path) -> None:
        write_split(folder, run.protocol.split(read_images(dataset), run.splitting))

    return Data(
        dataset=dataset,
        ready_made={
            name: _read(ready_made[name], spec, store, f"generator.{name}")
            for name, spec in plan.ready_made.items()
        },
        external={
            name: _read(external[name], spec, store, f"external.{name}")
            for name, spec in plan.external.items()
        },
        split=store.get_or_make(plan.split, divide),
    )


def check_listing(plan: DataPlan, store: Store) -> None:
    """List a run's own dataset, unless it is in the store; for commands without ``check_runs``.

    Raises:
        DataError: As ``listed``.
    """
    if store.find(plan.dataset) is None:
        listed(plan.run.dataset)


def listed(source: Dataset) -> ImageSet | None:
    """What is known of a dataset without reading an image, if anything.

    Raises:
        DataError: If it cannot be listed, or no split of it could be learned from.
    """
    # what is warned of is told when the images are read, or with what keeps them from being read
    with warned(silent=True) as doubts:
        data = source.listed()
    if data is not None and (problems := label_problems(data.label_counts(), len(data))):
        lines = [f"  - {text}" for text in dict.fromkeys(doubts) if "label" in text]
        also = ["look at this too, which may be why:", *lines] if lines else []
        raise DataError("\n".join(["; ".join(problems), *also]))
    return data


def known(plan: DataPlan, store: Store) -> ImageSet:
    """A run's own images, whose pixels may be missing: as listed, or else read into the store.

    Raises:
        DataError: As ``listed``, or if they cannot be read.
    """
    artifact = store.find(plan.dataset)
    if artifact is None and (images := listed(plan.run.dataset)) is not None:
        return images
    with warned(silent=True):  # what is in the store already is told of by the checks
        return read_images(artifact or _read(plan.run.dataset, plan.dataset, store))


def _read(source: Dataset, spec: Spec, store: Store, node: str = "dataset") -> Artifact:
    """A dataset from the store, read if it is not there; ``node`` is its place in the run."""
    synthetic = node == "generator.images"

    def decode(folder: Path) -> None:
        write_images(folder, source.load(ImagesOnDisk(folder), synthetic=synthetic))

    with of_node(node, source):
        artifact = store.get_or_make(spec, decode, resumable=True)
        # As a synthetic set they may have been read before; as real images they teach nothing.
        if not synthetic and (fault := read_images(artifact).notes.get("broken")):
            raise DataError(str(fault))
    return artifact
