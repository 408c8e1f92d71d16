"""How a dataset is split, and how many tuning images each label gets."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Component, ContractError, DataError, ImageSet, Split
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

    def split(self, dataset: ImageSet, splitting: Splitting) -> Split:
        """Draw a split.

        Args:
            dataset: Only labels, patients and the official test set and pool are looked at.
            splitting: Sizes and seed.

        Returns:
            Sorted indices into the dataset; images beyond the sizes asked for are in no set.

        Raises:
            DataError: If the dataset has too few images or patients for the sizes, a set would lack
                one of the labels, or the protocol knows no sizes and some are set.
        """
        asked = [n for n in ("pool_size", "train_size", "test_size") if getattr(splitting, n)]
        if asked and not self.sized:
            raise DataError(
                f"protocol={self.stem()} shares out all images and takes no {', '.join(asked)}; "
                f"set {'=null '.join(asked)}=null"
            )
        split = self._split(dataset, splitting)
        for side in ("pool", "real_train", "real_test"):
            indices = getattr(split, side)
            if (np.diff(indices) <= 0).any():
                raise ContractError(f"{self.stem()} must return sorted indices without repeats")
            lacking = dataset.labels.any(axis=0) & ~dataset.labels[indices].any(axis=0)
            if lacking.any():
                names = [dataset.label_names[label] for label in np.flatnonzero(lacking)]
                setting = f"{side.removeprefix('real_')}_size"
                raise DataError(
                    f"no image of label {', '.join(map(repr, names))} would be among the "
                    f"{len(indices)} images of {side} (the dataset's counts: "
                    f"{dataset.label_counts()}); raise {setting} or choose another split_seed"
                )
        return split

    @abstractmethod
    def _split(self, dataset: ImageSet, splitting: Splitting) -> Split: ...


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
