"""A latent diffusion model in a diffusers folder, as Stable Diffusion 1.x and 2.x come."""

import dataclasses
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tgap.component import option
from tgap.device import torch_device
from tgap.digest import folder_digest
from tgap.errors import DataError
from tgap.generators.base import Pretrained
from tgap.generators.latent.adapters import adapter_digest, adapter_problems, is_adapter, put_on
from tgap.generators.latent.folder import folder_problems, image_shape, vae_factor
from tgap.generators.latent.model import StableDiffusionModel, quiet

PACKAGED = Path(__file__).resolve().parent.parent / "assets" / "tiny_ldm"
KEPT = 2  # loaded models that a process keeps: the untuned one and the last tuned one

_loaded: OrderedDict[tuple[str, str, int | None], StableDiffusionModel] = OrderedDict()


@dataclass(kw_only=True)
class StableDiffusion(Pretrained):
    """Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752), of any size.

    ``path`` is a folder that ``StableDiffusionPipeline.save_pretrained`` wrote or that was
    downloaded whole; ``null`` is the packaged miniature, which draws printed letters. Weights are
    read from safetensors only, in float32, and the safety checker is left out: it blacks out
    images that it misjudges.

    Args:
        image_size: Images may have another size than the model was trained at, because its networks
            are convolutional; what it draws before it is tuned may then be out of proportion.
    """

    image_size: int | None = option(
        None, "height and width of images, null = what the model was trained at", low=8
    )

    def folder(self) -> Path:
        """Where the weights are."""
        return PACKAGED if self.path is None else Path(self.path).expanduser()

    def at(self, folder: Path) -> Self:
        """The same generator with what a tuned model was saved to."""
        if is_adapter(folder):
            return dataclasses.replace(self, adapters=[*self.adapters, str(folder)])
        return dataclasses.replace(self, path=str(folder), adapters=[])

    def check(self) -> list[str]:
        """Problems with the folder's files, as sentences; neither torch nor weights are loaded."""
        problems = folder_problems(self.folder()) or self._size_problems()
        return problems + adapter_problems(self.adapters)

    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its images, from the folder's configs."""
        height, width, channels = image_shape(self.folder())
        return (self.image_size or height, self.image_size or width, channels)

    def digest(self) -> str:
        """Hash of the folder's content; its place does not count.

        Raises:
            DataError: If ``check`` finds problems.
        """
        self._require_good_folder()
        own = folder_digest(self.folder())
        if not self.adapters:
            return own
        parts = [own, *map(adapter_digest, self.adapters)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def load(self) -> StableDiffusionModel:
        """Load the folder; a process keeps the last few models, by content and device.

        Raises:
            DataError: If a file is missing, truncated or does not fit.
        """
        device = torch_device(self.device)
        key = (self.digest(), str(device), self.image_size)
        if key not in _loaded:
            _loaded[key] = self._read(device.type)
        _loaded.move_to_end(key)
        while len(_loaded) > KEPT:
            _loaded.popitem(last=False)
        return _loaded[key]

    def _size_problems(self) -> list[str]:
        if self.image_size is None:
            return []
        factor = vae_factor(self.folder())
        if self.image_size % factor == 0:
            return []
        return [
            f"generator.image_size must be a multiple of {factor}, by which the autoencoder "
            f"reduces images, got {self.image_size}"
        ]

    def _require_good_folder(self) -> None:
        problems = self.check()
        if problems:
            raise DataError("; ".join(problems))

    def _read(self, device: str) -> StableDiffusionModel:
        import torch
        from diffusers import StableDiffusionPipeline

        try:
            with quiet():
                pipeline = StableDiffusionPipeline.from_pretrained(
                    str(self.folder()),
                    dtype=torch.float32,
                    use_safetensors=True,
                    local_files_only=True,
                    safety_checker=None,
                    feature_extractor=None,
                    requires_safety_checker=False,
                )
        # Whatever the libraries meet in a folder that passed the checks, the folder is at fault.
        except Exception as error:
            raise DataError(
                f"generator folder '{self.folder()}' cannot be loaded: {error}"
            ) from error
        for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
            part.eval().requires_grad_(False)
        words = put_on(pipeline, self.adapters)
        return StableDiffusionModel(pipeline.to(device), self.image_size, words)
