"""Image vectors of a CLIP model."""

import functools
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from tgap.core import DataError, Floats, Images, nearest, option
from tgap.core.device import DEVICES, device_problems, torch_device
from tgap.core.digest import folder_digest, remembered_file_digest
from tgap.core.files import expanded
from tgap.core.foreign import json_in
from tgap.core.memory import batches_that_fit
from tgap.core.network import hub_if_it_answers
from tgap.embedders.base import Embedder, Features
from tgap.embedders.networks.resizing import as_pillow

if TYPE_CHECKING:
    import torch

TINY = Path(__file__).parents[1] / "assets" / "tiny_clip"
"""Folder of the packaged miniature model."""

_LOCAL = "local-dir:"
_HUB = "hf-hub:"
_WEIGHTS = (".bin", ".npz", ".pt", ".pth", ".safetensors")


@dataclass(kw_only=True)
class Clip(Embedder):
    """Unit-length image vectors of a CLIP model, by open_clip.

    Radford et al., Learning transferable visual models from natural language supervision, ICML
    2021, arXiv 2103.00020. Images are resized, cropped and normalised as the model's own
    preprocessing says, but in batches; nearly all resized pixels equal Pillow's, none is off by
    more than two grey levels of 255. Grey images are repeated to three channels.

    Args:
        model: ``tiny`` (packaged), a name that open_clip knows (``ViT-B-32``), ``hf-hub:ID`` or
            ``local-dir:FOLDER`` (as open_clip saves it: ``open_clip_config.json`` and weights).
        pretrained: For a name that open_clip knows: a tag (``laion2b_s34b_b79k``) or a file of
            weights. Never left to chance: without weights there is an error. A run's ``clip.model``
            and ``clip.pretrained`` are the defaults of all its CLIP embedders.
        device: Where it runs.
    """

    reads_texts: ClassVar[bool] = True

    model: str = option(
        "tiny", "tiny, open_clip's name, hf-hub:ID or local-dir:FOLDER", shared="clip.model"
    )
    pretrained: str | None = option(
        None, "tag or file of weights, for open_clip's names", shared="clip.pretrained"
    )
    device: str = option("auto", "where it runs", choices=DEVICES, in_key=False)

    def problems(self) -> list[str]:
        """Weights that are missing, named twice, or not there."""
        own_weights = self.model == "tiny" or self.model.startswith((_LOCAL, _HUB))
        if own_weights and self.pretrained is not None:
            return [
                f"pretrained must be null for model '{self.model}', which has its own weights, "
                f"got '{self.pretrained}'"
            ]
        if not own_weights and self.pretrained is None:
            return [
                f"pretrained must be set for model '{self.model}' (a tag such as 'openai', or a "
                "file of weights); model=tiny brings its own"
            ]
        if self.model.startswith(_LOCAL) and not self.folder.is_dir():
            return [f"model names a folder that does not exist: {self.folder}"]
        if self._is_file and not expanded(str(self.pretrained)).is_file():
            return [f"pretrained names a file that does not exist: {self.pretrained}"]
        return []

    def check(self) -> list[str]:
        """A device that is not there."""
        return device_problems(self.device)

    def may_fetch(self) -> bool:
        """All weights but the packaged ones."""
        return self.model != "tiny"

    def fetch(self) -> list[str]:
        """A model or weights that cannot be had."""
        try:
            if self.model != "tiny" and not self.check():
                self._model(torch_device(self.device))
        except DataError as error:
            return [str(error)]
        return []

    def identity(self) -> dict[str, Any]:
        """Local weights count by their content, wherever they lie."""
        identity = super().identity()
        if self.model == "tiny" or self.model.startswith(_LOCAL):
            if not self.folder.is_dir():
                raise DataError(f"the folder of CLIP model '{self.model}' is gone: {self.folder}")
            identity["model"] = folder_digest(self.folder)
        if self._is_file:
            identity["pretrained"] = remembered_file_digest(expanded(str(self.pretrained)))
        return identity

    def width(self, shape: tuple[int, ...]) -> int:
        """As the configuration of a local model says; otherwise that of ViT-B/32."""
        try:
            config = json_in(self.folder / "open_clip_config.json")
            return int(config["model_cfg"]["embed_dim"])
        except (OSError, ValueError, LookupError, TypeError, OverflowError):
            return super().width(shape)

    @property
    def folder(self) -> Path:
        """Where the packaged or a local model is."""
        return TINY if self.model == "tiny" else expanded(self.model.removeprefix(_LOCAL))

    @property
    def _is_file(self) -> bool:
        text = self.pretrained or ""
        return "/" in text or text.endswith(_WEIGHTS) or expanded(text).is_file()

    def _name(self) -> str:
        """As open_clip calls it."""
        local = self.model == "tiny" or self.model.startswith(_LOCAL)
        return f"{_LOCAL}{self.folder}" if local else self.model

    def _model(self, device: "torch.device") -> tuple["torch.nn.Module", "Preprocess"]:
        name = self._name()
        file = str(expanded(str(self.pretrained))) if self._is_file else None
        return _loaded(name, file or self.pretrained, device)

    def _embed(self, images: Images, features: Features | None) -> Floats:
        import torch

        model, preprocess = self._model(device := torch_device(self.device))

        def work(part: slice) -> Floats:
            pixels = preprocess(torch.from_numpy(np.array(images[part])).permute(0, 3, 1, 2))
            vectors = model.encode_image(pixels.to(device), normalize=True)
            return cast("Floats", vectors.float().cpu().numpy())

        with torch.inference_mode():
            parts = batches_that_fit(len(images), self.batch_size, work, "images to be embedded")
            return np.concatenate(list(parts))

    def _embed_texts(self, texts: Sequence[str]) -> Floats:
        import open_clip
        import torch

        model, _ = self._model(device := torch_device(self.device))
        tokens = open_clip.get_tokenizer(self._name())(list(texts))
        with torch.inference_mode():
            vectors = model.encode_text(tokens.to(device), normalize=True)
        return cast("Floats", vectors.float().cpu().numpy())


Preprocess = Callable[["torch.Tensor"], "torch.Tensor"]
"""``(B, C, H, W)`` uint8 -> ``(B, 3, h, w)`` float32."""


@functools.lru_cache(maxsize=2)
def _loaded(
    name: str, pretrained: str | None, device: "torch.device"
) -> tuple["torch.nn.Module", Preprocess]:
    """A model that is ready to embed, and its preprocessing; kept for the process's next call."""
    import open_clip
    import torch

    before = logging.root.manager.disable
    logging.disable(logging.ERROR)  # open_clip tells of every step, by the root logger
    try:
        # Drawing weights that are overwritten at once would move the global random state.
        # A model in a folder needs no hub, so none is asked whether it is there.
        hub = nullcontext() if name.startswith(_LOCAL) else hub_if_it_answers()
        with torch.random.fork_rng(devices=[]), hub:
            model = open_clip.create_model(
                name, pretrained, require_pretrained=True, weights_only=True
            )
    except Exception as error:  # open_clip raises many kinds
        weights = "" if pretrained is None else f" with weights '{pretrained}'"
        raise DataError(
            f"CLIP model '{name}'{weights} cannot be loaded: {_shortened(error, name)}; "
            "open_clip.list_pretrained() lists the known names and tags; without a network, set "
            "clip.pretrained=FILE, or clip.model=local-dir:FOLDER and clip.pretrained=null"
        ) from error
    finally:
        logging.disable(before)
    return model.eval().to(device), batch_preprocess(model.visual.preprocess_cfg, name)


def _shortened(error: Exception, name: str) -> str:
    """An error's text, with open_clip's lists of everything it knows cut down to the nearest."""
    import open_clip

    text = str(error)
    if name not in open_clip.list_models() and not name.startswith((_LOCAL, _HUB)):
        return f"there is no such model{nearest(name, open_clip.list_models()).partition(' (')[0]}"
    return text if len(text) < 400 else f"{text[:400]}..."


def batch_preprocess(settings: dict[str, Any], name: str) -> Preprocess:
    """An open_clip model's own preprocessing, for batches of uint8 tensors.

    Args:
        settings: The model's ``preprocess_cfg``.
        name: Of the model, for the message.

    Raises:
        DataError: If the model resizes in a way that is only written for single Pillow images.
    """
    import torch
    from open_clip.transform import PreprocessCfg, ResizeKeepRatio, image_transform_v2
    from torchvision.transforms import Resize

    transform = image_transform_v2(PreprocessCfg(**settings), is_train=False)
    *geometry, normalize = transform.transforms
    if any(isinstance(step, ResizeKeepRatio) for step in geometry):
        raise DataError(
            f"CLIP model '{name}' resizes with resize_mode '{settings['resize_mode']}' to "
            f"{settings['size']}, which is not supported; take a model with a square input and "
            "resize_mode 'shortest' or 'squash'"
        )

    def preprocess(batch: "torch.Tensor") -> "torch.Tensor":
        for step in geometry:
            batch = _resized(batch, step) if isinstance(step, Resize) else step(batch)
        scaled = batch.expand(-1, 3, -1, -1).to(torch.float32) / 255
        normalised: torch.Tensor = normalize(scaled)
        return normalised

    return preprocess


def _resized(batch: "torch.Tensor", resize: Any) -> "torch.Tensor":
    """A torchvision ``Resize`` of uint8 images, as Pillow does it."""
    height, width = batch.shape[-2:]
    if isinstance(resize.size, int):  # of the shorter side
        short = min(height, width)
        to = [resize.size * height // short, resize.size * width // short]
    else:
        to = list(resize.size)
    return as_pillow(batch, to, resize.interpolation)
