"""What networks share whose weights may come from elsewhere."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tgap.classifiers.base import LibraryNetwork
from tgap.classifiers.networks.network import Network
from tgap.core import DataError, Weights, option
from tgap.core.digest import remembered_file_digest
from tgap.core.files import expanded
from tgap.core.weights import SUFFIXES, State, file_problems, read_state, require_fit, unwrapped

if TYPE_CHECKING:
    import torch


@dataclass(kw_only=True)
class PretrainedNetwork(Network):
    """A network for RGB images that can start from published weights; grey ones are repeated.

    Weights are never left to chance: from scratch is a choice (``weights=null``), and weights that
    are missing or do not fit are an error.

    Args:
        weights: null (from scratch), the word for the published weights, or a file of them
            (``.safetensors``, or of ``torch.save``, read without running code): a state dict, or a
            checkpoint with one; ``module.`` and the like before its names, and the last, linear
            layer are left out.
        image_size: Images are resized to so many pixels a side, bilinearly with antialiasing;
            null leaves them as they are.
        flip: Half of the training images are mirrored left to right.
    """

    published: ClassVar[str]
    """The value of ``weights`` that stands for the published ones."""
    smallest: ClassVar[int] = 32
    library: ClassVar[str] = ""
    """Which makes the network; empty = it takes tgap."""
    library_names: ClassVar[Mapping[str, str]] = {}
    """Beginnings of the arrays' names in the library, by ours."""

    shift: int = option(0, "random shift in pixels", low=0, high=1_000_000)
    weights: str | None = option(None, "null = from scratch, published weights, or a file")
    image_size: int | None = option(None, "pixels a side to resize to; null = as they are", low=32)
    flip: bool = option(True, "mirror half of the training images")

    @abstractmethod
    def _published_state(self) -> State:
        """The published weights."""

    @abstractmethod
    def _backbone_state(self, state: State) -> State:
        """Weights, found to be named as ``network.features.backbone``'s, but for the last layer."""

    def problems(self) -> list[str]:
        """Weights that are not there or of no known kind, beside what is wrong with any network."""
        problems = super().problems()
        if not self._is_file:
            return problems
        return problems + file_problems(
            str(self.weights),
            f"give '{self.published}' (the published weights), null (from scratch) or a file "
            f"({', '.join(SUFFIXES)})",
        )

    def identity(self) -> dict[str, Any]:
        """A file of weights counts by its content, wherever it lies."""
        identity = super().identity()
        if self._is_file:
            try:
                identity["weights"] = remembered_file_digest(self._file)
            except OSError as error:
                raise DataError(f"cannot read the weights {self._file}: {error}") from error
        return identity

    def check(self) -> list[str]:
        """A file of weights that cannot be read or does not fit."""
        problems = super().check()
        if self._is_file:
            import torch

            try:
                with torch.device("meta"):
                    network = self._network(3, 2)
                self._fitting(network)
            except DataError as error:
                problems.append(str(error))
        return problems

    def may_fetch(self) -> bool:
        """Published weights, if they are not there."""
        return self.weights == self.published

    def fetch(self) -> list[str]:
        """Published weights that cannot be had."""
        if self.weights == self.published:
            try:
                self._published_state()
            except DataError as error:
                return [str(error)]
        return []

    def check_images(self, shape: tuple[int, ...]) -> list[str]:
        """Images too small for the network, if they are not brought to a size of their own."""
        if self.image_size is not None:
            return []
        return [f"{text}; set image_size" for text in super().check_images(shape)]

    def without_tgap(self, weights: Weights) -> LibraryNetwork | None:
        """The library's network, by its own names."""
        if not self.library:
            return None
        labels, width = weights["head.weight"].shape
        state = {name: array for name, array in weights.items() if not name.startswith("input_")}
        for ours, theirs in self.library_names.items():
            state = {
                theirs + name.removeprefix(ours) if name.startswith(ours) else name: array
                for name, array in state.items()
            }
        return LibraryNetwork(self.library, self._code(labels, width), state, self.image_size)

    def _code(self, labels: int, width: int) -> str:
        """Lines that make the library's ``network`` of so many labels and features."""
        raise NotImplementedError(f"{type(self).__name__} names a library and no code")

    @property
    def _is_file(self) -> bool:
        return self.weights not in (None, self.published)

    @property
    def _file(self) -> Path:
        return expanded(str(self.weights))

    def _load_pretrained(self, network: "torch.nn.Module") -> None:
        if self.weights is not None:
            network.features.backbone.load_state_dict(self._fitting(network), strict=False)

    def _fitting(self, network: "torch.nn.Module") -> State:
        """The weights of a network's backbone.

        Raises:
            DataError: If they cannot be read, or are another network's.
        """
        state = read_state(self._file) if self._is_file else self._published_state()
        own = network.features.backbone.state_dict()
        try:
            given = self._backbone_state(unwrapped(state, own.keys()))
        except DataError as error:
            raise DataError(f"weights '{self.weights}' cannot be taken: {error}") from error
        require_fit(
            given,
            own,
            f"weights '{self.weights}' do not fit {self.title()}",
            "give a file of this network, or set classifier.weights=null (from scratch)",
        )
        return given

    def _augmented(self, batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
        import torch

        batch = super()._augmented(batch, rng)
        if not self.flip:
            return batch
        mirrored = torch.from_numpy(rng.random(len(batch)) < 0.5).to(batch.device)
        return torch.where(mirrored[:, None, None, None], batch.flip(2), batch)

    def _input(self, batch: "torch.Tensor", scaling: Weights) -> "torch.Tensor":
        import torch
        from torch.nn.functional import interpolate

        if self.image_size is not None and batch.shape[1:3] != (self.image_size, self.image_size):
            pixels = interpolate(
                batch.permute(0, 3, 1, 2).to(torch.float32),
                size=[self.image_size] * 2,
                mode="bilinear",
                antialias=True,
            )
            batch = pixels.permute(0, 2, 3, 1)
        return super()._input(batch, scaling)


def rgb_scaling(mean: tuple[float, ...], std: tuple[float, ...]) -> Weights:
    """``input_mean`` and ``input_std`` on the scale of uint8, from those of pixels in [0, 1]."""
    return {
        "input_mean": np.array(mean, dtype=np.float32) * 255,
        "input_std": np.array(std, dtype=np.float32) * 255,
    }
