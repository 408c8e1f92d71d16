"""Image vectors of a network whose weights lie in a file."""

import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from tgap.core import DataError, Floats, Images, option
from tgap.core.device import DEVICES, device_problems, torch_device
from tgap.core.digest import remembered_file_digest
from tgap.core.files import expanded
from tgap.core.memory import batches_that_fit
from tgap.core.weights import SUFFIXES, State, file_problems, read_state, require_fit, unwrapped
from tgap.embedders.base import Embedder, Features

if TYPE_CHECKING:
    import torch

_last: dict[str, "torch.nn.Module"] = {}
"""The network that embedded last, by what it is, for the process's next call."""


@dataclass(kw_only=True)
class NetworkEmbedder(Embedder):
    """Weights are never left to chance: what is missing or does not fit is an error.

    Args:
        weights: A file of weights (``.safetensors``, or of ``torch.save``, read without running
            code): a state dict, or a checkpoint with one.
        device: Where it runs.
    """

    published: ClassVar[str | None] = None
    """The value of ``weights`` that stands for published ones, if they can be downloaded."""

    batch_size: int = option(32, "images embedded at once", low=1, high=1_000_000, in_key=False)
    weights: str | None = option(None, "a file of weights")
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    @abstractmethod
    def _wanted(self) -> str:
        """Which weights are wanted and where they are found: ``give FILE, of ...``."""

    @abstractmethod
    def _network(self) -> "torch.nn.Module":
        """Pixels to vectors; its arrays are named as in the file."""

    @abstractmethod
    def _input(self, batch: "torch.Tensor") -> "torch.Tensor":
        """``(B, C, H, W)`` uint8 of one or three channels -> what the network takes."""

    def _left_out(self) -> tuple[str, ...]:
        """How names begin of what a file holds beside the network: its last layer."""
        return ()

    def _published_state(self) -> State:
        """The published weights, if there is a word for them."""
        raise NotImplementedError

    def _ready(self, network: "torch.nn.Module") -> "torch.nn.Module":
        """The network with its weights, as it is run."""
        return network

    def problems(self) -> list[str]:
        """Weights that are not named, not there or of no known kind."""
        if self.weights is None:
            return [f"weights must be set, got null; {self._wanted()}"]
        if not self._is_file:
            return []
        return file_problems(self.weights, f"{self._wanted()} (a file: {', '.join(SUFFIXES)})")

    def identity(self) -> dict[str, Any]:
        """A file of weights counts by its content, wherever it lies."""
        identity = super().identity()
        if self._is_file:
            try:
                identity["weights"] = remembered_file_digest(expanded(str(self.weights)))
            except OSError as error:
                raise DataError(f"cannot read the weights {self.weights}: {error}") from error
        return identity

    def check(self) -> list[str]:
        """A device that is not there, a file that cannot be read or does not fit."""
        problems = device_problems(self.device)
        if self._is_file:
            import torch

            try:
                with torch.device("meta"):
                    network = self._network()
                self._fitting(network)
            except DataError as error:
                problems.append(str(error))
        return problems

    def may_fetch(self) -> bool:
        """Published weights, if they are not there."""
        return not self._is_file

    def fetch(self) -> list[str]:
        """Published weights that cannot be had."""
        if not self._is_file:
            try:
                self._published_state()
            except DataError as error:
                return [str(error)]
        return []

    @property
    def _is_file(self) -> bool:
        return self.weights != self.published

    def _fitting(self, network: "torch.nn.Module") -> State:
        """The network's weights, without what else is in the file.

        Raises:
            DataError: If they cannot be read, or are another network's.
        """
        read = read_state(expanded(str(self.weights))) if self._is_file else self._published_state()
        own = network.state_dict()
        try:
            named = unwrapped(read, own.keys())
        except DataError as error:
            raise DataError(f"weights '{self.weights}' cannot be taken: {error}") from error
        given = {k: array for k, array in named.items() if not k.startswith(self._left_out())}
        fault = f"weights '{self.weights}' do not fit {self.title()}"
        require_fit(given, own, fault, self._wanted())
        return given

    def _loaded(self, device: "torch.device") -> "torch.nn.Module":
        import torch

        key = json.dumps([self.identity(), str(device)], sort_keys=True)
        if key in _last:
            return _last[key]
        _last.clear()
        # Drawing weights that are overwritten at once would move the global random state.
        with torch.random.fork_rng(devices=[]):
            network = self._network()
        network.load_state_dict(self._fitting(network), strict=False)
        _last[key] = self._ready(network).eval().to(device)
        return _last[key]

    def _embed(self, images: Images, features: Features | None) -> Floats:
        import torch

        network = self._loaded(device := torch_device(self.device))

        def work(part: slice) -> Floats:
            pixels = self._input(torch.from_numpy(np.array(images[part])).permute(0, 3, 1, 2))
            return cast("Floats", network(pixels.to(device)).float().cpu().numpy())

        with torch.inference_mode():
            parts = batches_that_fit(len(images), self.batch_size, work, "images to be embedded")
            return np.concatenate(list(parts))
