"""How a dataset is split, and how many tuning images each label gets."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Component, ContractError, DataError, ImageSet, Indices, Split
from tgap.core.settings import Splitting


@dataclass(kw_only=True)
class Protocol(Component):
    """Draws pool, real_train and real_test out of a dataset."""

    size_unit: ClassVar[str] = "label"
    """What the run's size counts unless told: tuning images per ``label``, or in ``total``."""
    sized: ClassVar[bool] = True
    """Whether ``pool_size``, ``train_size`` and ``test_size`` can be asked for."""

    def averaged(self) -> list["Protocol"]:
        """Protocols, itself among them, whose runs count as one: as the folds of one dealing do.

        They differ in as few fields as tell them apart. A seed's number is the mean over them.
        """
        return [self]

    def advice(self, dataset: ImageSet) -> list[str]:
        """What to know of this protocol before it splits such a dataset, as sentences.

        Args:
            dataset: All but its pixels is looked at.
        """
        return []

    def sources(self, dataset: ImageSet) -> dict[str, int]:
        """How many images each side is drawn from: what one split shares with another by chance
        follows from it. All of the dataset's, unless the dataset says who belongs to a side.

        Args:
            dataset: Only its official test set and pool are looked at.

        Returns:
            By ``pool``, ``real_train`` and ``real_test``.
        """
        return dict.fromkeys(("pool", "real_train", "real_test"), len(dataset))

    def split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        """Draw a split.

        Args:
            dataset: Only labels, patients and the official test set and pool are looked at.
            splitting: Sizes and seed.

        Returns:
            Sorted indices into the dataset; images beyond the sizes asked for are in no set.

        Raises:
            DataError: If the dataset has too few images or patients for the sizes, a set would lack
                images with or without one of the labels, or the protocol knows no sizes and some
                are set.
        """
        asked = [n for n in ("pool_size", "train_size", "test_size") if getattr(splitting, n)]
        if asked and not self.sized:
            raise DataError(
                f"protocol={self.stem()} shares out all images and takes no {', '.join(asked)}; "
                f"set {'=null '.join(asked)}=null"
            )
        if problems := label_problems(dataset.label_counts(), len(dataset)):
            raise DataError("; ".join(problems))
        split = self._split(dataset, splitting)
        for side in ("pool", "real_train", "real_test"):
            indices = getattr(split, side)
            if (np.diff(indices) <= 0).any():
                raise ContractError(f"{self.stem()} must return sorted indices without repeats")
            _require_labels(dataset, indices, side)
        return split

    @abstractmethod
    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split: ...


def label_problems(counts: Mapping[str, int], images: int) -> list[str]:
    """Labels that no split could leave to be learned and tested.

    Args:
        counts: Images by label.
        images: All of them.

    Returns:
        A sentence for each with its remedy; none for images whose labels are not known.

    >>> label_problems({"cat": 5, "photo": 9}, 9)[0][:55]
    "label 'photo' is on 9 of 9 images, so nothing is to be "
    """
    if len(counts) < 2 or images == 0:
        return []
    problems = []
    for name, count in counts.items():
        held = f"label '{name}' is on {count} of {images} images, "
        if count < 3:
            problems.append(
                f"{held}but pool, real_train and real_test need one each: take at least 3 images "
                f"of it, or {_LEAVE_OUT}"
            )
        if images - count < 2:
            problems.append(
                f"{held}so nothing is to be told from it in real_train and real_test: take at "
                f"least 2 images without it, or {_LEAVE_OUT}"
            )
    return problems


_LEAVE_OUT = "leave the label out (remove its folder, or its name from the table's cells)"


def _require_labels(dataset: ImageSet, indices: Indices, side: str) -> None:
    """See that a side has images with and, but for the pool, without each label."""
    kinds = {"of": dataset.labels}
    if side != "pool" and len(dataset.label_names) > 1:
        kinds["without"] = ~dataset.labels
    for kind, held in kinds.items():
        lacking = np.flatnonzero(held.any(axis=0) & ~held[indices].any(axis=0))
        if len(lacking):
            names = ", ".join(repr(dataset.label_names[label]) for label in lacking)
            raise DataError(
                f"no image {kind} label {names} would be among the {len(indices)} images of {side} "
                f"(the dataset's counts: {dataset.label_counts()}); "
                f"{_advice(dataset, held[:, lacking[0]], indices, side, 3 if kind == 'of' else 2)}"
            )


def _advice(dataset: ImageSet, held: Bools, indices: Indices, side: str, sides: int) -> str:
    """What helps where none of some images came to a side, and ``sides`` need one."""
    official = dataset.official_test
    if official is not None and official[indices].all() and not held[official].any():
        return f"the official test set has none: set dataset.official_split=false, or {_LEAVE_OUT}"
    if len(np.unique(dataset.patients[held])) < sides:
        return (
            f"they are of fewer than {sides} patients, each of whom stands on one side only: take "
            f"images of others, or {_LEAVE_OUT}"
        )
    return f"raise {side.removeprefix('real_')}_size or choose another split_seed"


def sizes_per_label(labels: Bools, size: int, unit: str, rng: np.random.Generator) -> list[int]:
    """How many tuning images each label gets.

    Args:
        labels: ``(N, L)`` bool, the pool's.
        size: Tuning images, per label or in total.
        unit: ``label``, or ``total``: then the images are shared out as a draw of ``size`` images
            from the pool that looks at no label would share them out, so labels get what chance
            gives them. A larger size gives every label as many as a smaller one did, or more.
        rng: Of that draw.

    Returns:
        L numbers.
    """
    if unit == "label":
        return [size] * labels.shape[1]
    # An image with several labels stands once for each of them.
    order = rng.permutation(np.nonzero(labels)[1])[:size]
    counts: list[int] = np.bincount(order, minlength=labels.shape[1]).tolist()
    return counts


def require_images(available: int, **sizes: int) -> None:
    """See that sets of these sizes, by the settings' names, fit into so many images.

    Raises:
        DataError: If they do not.
    """
    total = sum(sizes.values())
    if total > available:
        wanted = {name: size for name, size in sizes.items() if size}
        words = " + ".join(f"{name.removesuffix('_size')} {size}" for name, size in wanted.items())
        raise DataError(
            f"the split asks for {words} = {total} images, but the dataset has {available} for "
            f"them; lower {', '.join(wanted)} (those not set take 60 %, 20 % and 20 %)"
        )
