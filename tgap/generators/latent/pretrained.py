"""What generators share that are latent diffusion models in diffusers' formats."""

import dataclasses
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tgap.core import DataError, Doubles, Sampler, option
from tgap.core.device import torch_device, warn_of_slow_bfloat16
from tgap.core.files import expanded
from tgap.core.origin import UNKNOWN, Origin
from tgap.generators.base import Networks, Pretrained
from tgap.generators.latent.adapters.loading import (
    adapter_digest,
    adapter_problems,
    is_adapter,
    put_on,
)
from tgap.generators.latent.files.fit import misfits, require_finite
from tgap.generators.latent.files.folder import (
    denoiser_patch,
    image_shape,
    names_in,
    parts_left_out,
    saved_texts,
    scheduler_in,
    tokenizers,
    tokens_known,
    tokens_read,
    vae_factor,
)
from tgap.generators.latent.files.layouts import Layout
from tgap.generators.latent.files.schedule import WHOLE, schedule_alone
from tgap.generators.latent.files.source import Source, find, is_hub_id
from tgap.generators.latent.files.tokens import (
    distances_of,
    prompt_problems,
    tokens_of,
    vocabulary_problems,
)
from tgap.generators.latent.model import StableDiffusionModel
from tgap.generators.latent.silence import errors_raised_only, quiet

if TYPE_CHECKING:
    import torch

KEPT = 2  # loaded models that a process keeps: the untuned one and the last tuned one
LICENCES = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": (
        "CreativeML Open RAIL-M",
        "creativeml-openrail-m",
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": ("CreativeML Open RAIL++-M", "openrail++"),
    "stabilityai/stable-diffusion-3.5-medium": ("Stability AI Community License", "other"),
}
"""Of the hub's repositories that presets name: in words, and the hub's name of it."""
PRECISIONS = ("auto", "float32", "float16", "bfloat16")

_loaded: OrderedDict[tuple[object, ...], StableDiffusionModel] = OrderedDict()

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class LatentGenerator(Pretrained):
    """A latent diffusion model that diffusers has a pipeline for.

    ``path`` is a folder as diffusers' ``save_pretrained`` writes it, a hub id ``owner/name``, or
    for some a ``.safetensors`` file in the layout of the original release. Weights are read from
    safetensors only, and of a model's files those that are needed.

    Args:
        revision: Branch, tag or commit of a hub id; a commit makes a run repeatable elsewhere.
        config: A file holds weights only; configs and tokenizer come from here.
        download: Nothing is fetched unless told so, and never if HF_HUB_OFFLINE is set.
        precision: Of the denoiser and the text encoders; latents, the sampler's arithmetic and the
            autoencoder are float32 throughout. ``auto`` is half precision on CUDA and float32
            elsewhere, so what it draws differs a little between devices, and a run's key does not:
            set it where machines with and without CUDA share a store.
        compile: Have the denoiser's repeated blocks compiled (``torch.compile``), to draw and to
            tune: the same but for rounding, at the cost of compiling once. Takes CUDA or a C++
            compiler; blocks that cannot be compiled are run as they are, which is told.
        image_size: Images may have another size than the model was trained at, because its networks
            are convolutional or read positions; what it draws before it is tuned may then be out of
            proportion.
    """

    begins_with_images: ClassVar[bool] = True

    layout: ClassVar[Layout]
    model: ClassVar[type[StableDiffusionModel]] = StableDiffusionModel
    """What is made of a loaded pipeline."""
    half: ClassVar[str] = "float16"
    """What ``auto`` is on CUDA."""

    revision: str | None = option(
        None, "branch, tag or commit of a hub id, null = main", in_key=False
    )  # digest() stands for what these lead to
    config: str | None = option(
        None, "for a single file: folder or hub id with configs and tokenizer", in_key=False
    )
    download: bool = option(False, "fetch from the hub what is not in its cache", in_key=False)
    precision: str = option("auto", "of the denoiser and text encoders", choices=PRECISIONS)
    compile: bool = option(False, "compile the denoiser's blocks; takes a compiler")
    image_size: int | None = option(
        None, "height and width of images, null = what the model was trained at", low=8
    )

    def origin(self) -> Origin:
        """The hub's repository; the licences of those that presets name are known."""
        if self.path is None or not is_hub_id(self.path):
            name = "" if self.path is None else f" '{expanded(self.path).name}'"
            return Origin(f"files of the person who ran it{name}")
        licence, licence_id = LICENCES.get(self.path, (UNKNOWN, "unknown"))
        commit = f" at {self.revision}" if self.revision else ""
        return Origin(
            f"{self.path} on the Hugging Face hub{commit}", licence, licence_id, self.path
        )

    def sampler_problems(self, path: str, sampler: Sampler) -> list[str]:
        """Dropout among compiled blocks, which are compiled without."""
        of_guide = sampler.guide == "dropout"
        if not self.compile or not (of_guide or sampler.dropout):
            return []
        name, off = ("guide=dropout", "guide=empty") if of_guide else ("dropout", "dropout=0")
        return [
            f"{path}.{name} cannot be drawn with by compiled blocks; set generator.compile=false "
            f"or {path}.{off}"
        ]

    def source(self) -> Source:
        """Where the files are; nothing is fetched.

        Raises:
            DataError: If they are not there.
        """
        if self.path is None:
            raise DataError(
                f"generator.path must be set for generator '{self.title()}', of which none is "
                f"packaged: a local diffusers folder of a {self.layout.pipeline} or a hub id "
                "(owner/name)"
            )
        return find(self.path, self.revision, self.config, False, self.layout)

    def at(self, folder: Path) -> Self:
        """The same generator with what a tuned model was saved to."""
        if is_adapter(folder):
            return dataclasses.replace(self, adapters=[*self.adapters, str(folder)])
        return dataclasses.replace(self, path=str(folder), revision=None, config=None, adapters=[])

    def check(self) -> list[str]:
        """Problems with device and files, as sentences; no weights are loaded.

        Of a hub's model that may be fetched, ``fetch`` tells.
        """
        places = [place for place in (self.path, self.config) if place is not None]
        deferred = self.download and any(map(is_hub_id, places))
        return [*super().check(), *([] if deferred else self._problems())]

    def may_fetch(self) -> bool:
        """Only what it was told to."""
        return self.path is not None and self.download

    def fetch(self) -> list[str]:
        """Fetch what is not in the hub's cache, if ``download`` is set; what is then wrong."""
        if self.path is None or not self.download:
            return []
        try:
            find(self.path, self.revision, self.config, True, self.layout)
        except DataError as error:
            return [str(error)]
        return self._problems()

    def check_weights(self) -> list[str]:
        """Weights that are not those of the networks which the configs describe, and tokenizers.

        It takes the libraries that build these, once per process; the packaged model fits.
        """
        if self.path is None:
            return []
        source = self.source()
        return misfits(source) or vocabulary_problems(source.folder, self.layout)

    def check_prompts(self, texts: Sequence[str]) -> list[str]:
        """Texts that are too long for a text encoder, as sentences.

        Raises:
            DataError: If ``check`` finds problems.
        """
        words = self._words()
        read = [text for text in texts if text not in words]  # in whose place words are read
        return prompt_problems(read, self.source().folder, self.layout)

    def prompt_tokens(self, texts: Sequence[str]) -> list[list[str]]:
        """What its tokenizers make of each text; a learned word is one token."""
        words = self._words()
        read = tokens_of(texts, self.source().folder, self.layout)
        return [[words[text]] if text in words else r for text, r in zip(texts, read, strict=True)]

    def prompt_distances(self, texts: Sequence[str]) -> Doubles | None:
        """Cosine distances as its text encoders read texts, measured from the empty prompt.

        It loads the base model's CLIP encoders alone. ``None`` where words stand for prompts, or
        the weights are in one file.
        """
        source = self.source()
        if source.file is not None or self._words():
            return None
        if problems := self._problems():
            raise DataError("; ".join(problems))
        return distances_of(texts, source.folder, self.layout)

    def networks(self) -> Networks:
        """Shapes of its weights, from the headers of its files.

        Raises:
            DataError: If a file is missing or broken.
        """
        source = self.source()
        others = dict(source.shapes())
        denoiser = others.pop(self.layout.denoiser, {})
        return Networks(denoiser, others, as_loaded=source.file is None)

    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of its images, from the configs."""
        return image_shape(self.source().folder, self.layout, self.image_size)

    def digest(self) -> str:
        """Hash of the content of the files that are used; their places do not count.

        Raises:
            DataError: If ``check`` finds problems.
        """
        # Without ``check_weights``: plans need digests, and nobody waits for torch to see a plan.
        if problems := self._problems():
            raise DataError("; ".join(problems))
        own = self.source().digest()
        if not self.adapters:
            return own
        parts = [own, *map(adapter_digest, self.adapters)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def load(self) -> StableDiffusionModel:
        """Load the model, fetched if need be; a process keeps the last few, by their content.

        Raises:
            DataError: If a file is missing, truncated or does not fit.
        """
        if problems := self.fetch():
            raise DataError("; ".join(problems))
        device = torch_device(self.device)
        precision = self._precision(device.type)
        warn_of_slow_bfloat16(device, precision, "generator.precision")
        # By content, not by place: another tuned model may have been written there since.
        settings = self.image_size, self.compile
        key = (self.stem(), self.digest(), str(device), str(precision), *settings)
        if key not in _loaded:
            _loaded[key] = self._read(device, precision)
        _loaded.move_to_end(key)
        while len(_loaded) > KEPT:
            _loaded.popitem(last=False)
        return _loaded[key]

    def _precision(self, device: str) -> "torch.dtype":
        import torch

        # Learned changes are small beside the weights that they are folded into: the 8 bits of
        # bfloat16 round them far more than the 11 of float16 do.
        half = "float16" if self.adapters else self.half
        auto = half if device == "cuda" else "float32"
        dtype: torch.dtype = getattr(torch, auto if self.precision == "auto" else self.precision)
        return dtype

    def _size_problems(self, folder: Path) -> list[str]:
        if self.image_size is None:
            image_shape(folder, self.layout)
            return []
        factor = vae_factor(folder) * denoiser_patch(folder, self.layout)
        if self.image_size % factor == 0:
            return []
        return [
            f"generator.image_size must be a multiple of {factor}, by which the model reduces "
            f"images, got {self.image_size}"
        ]

    def _words(self) -> dict[str, str]:
        """What is read instead of prompts."""
        folders = [self.source().folder, *map(expanded, self.adapters)]
        return {text: word for folder in folders for text, word in saved_texts(folder).items()}

    def _problems(self) -> list[str]:
        try:
            source = self.source()
            problems = source.problems() or self._size_problems(source.folder)
            if not problems:
                for tokenizer in tokenizers(source.folder, self.layout):
                    tokens_read(source.folder, self.layout, tokenizer)
        except DataError as error:
            return [str(error)]
        return problems + adapter_problems(self.adapters, source)

    def _read(self, device: "torch.device", precision: "torch.dtype") -> StableDiffusionModel:
        import torch

        if problems := self.check_weights():
            raise DataError("; ".join(problems))
        source = self.source()
        if source.commit:
            log.info("loading %s", source.title)
        try:
            with quiet():
                pipeline = _pipeline(source, precision)
        # Whatever the libraries meet in files that passed the checks, the files are at fault.
        except Exception as error:
            raise DataError(f"generator {source.title} cannot be loaded: {error}") from error
        require_finite(pipeline, source)
        for name in tokenizers(source.folder, self.layout):
            # pipelines fill prompts up to so many, which is 1e30 where nothing is said
            tokenizer, known = (
                pipeline.components[name],
                tokens_known(source.folder, self.layout, name),
            )
            tokenizer.model_max_length = min(tokenizer.model_max_length, known)
        # Frozen here, once: finetuners copy what they train, and share the rest with this model.
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        words = {**saved_texts(source.folder), **put_on(pipeline, self.adapters)}
        for part in pipeline.components.values():  # the pipeline's own `to` warns of float16
            if isinstance(part, torch.nn.Module):
                part.to(device)
        return self.model(pipeline, self.image_size, words, precision, self.compile)


def _other_scheduler(source: Source) -> dict[str, Any]:
    """What stands for a scheduler that draws in ways of its own: one on its noise schedule."""
    import diffusers

    name, config = scheduler_in(source.folder, source.layout)
    kind = source.layout.parts["scheduler"].schedule
    if name in WHOLE[kind]:
        return {}
    kept = schedule_alone(config, kind)
    log.info(
        "of the %s in %s the noise schedule is taken over (%s); sampler.scheduler says what draws",
        name,
        source.title,
        ", ".join(f"{setting}={value}" for setting, value in kept.items()),
    )
    return {"scheduler": getattr(diffusers, WHOLE[kind][0]).from_config(kept)}


def _pipeline(source: Source, precision: "torch.dtype") -> Any:
    """A diffusers pipeline on the CPU."""
    import diffusers
    import torch

    pipeline, folder = getattr(diffusers, source.layout.pipeline), str(source.folder)
    without = {
        **source.layout.without,
        **dict.fromkeys(parts_left_out(source.folder, source.layout)),
        **_other_scheduler(source),
    }
    # Never pickles, and never the hub: what is read was looked at before, in ``check``.
    if source.file is None:
        return pipeline.from_pretrained(
            folder,
            dtype={"default": precision, "vae": torch.float32},  # the VAE sets every pixel
            variant=source.layout.variant(names_in(source.folder)),
            use_safetensors=True,
            local_files_only=True,
            **without,
        )
    file, configs = str(source.file), {"config": folder, "local_files_only": True}
    with errors_raised_only():  # diffusers warns of how it sets the dtype of a single file itself
        vae = diffusers.AutoencoderKL.from_single_file(
            file, subfolder="vae", dtype=torch.float32, **configs
        )
        return pipeline.from_single_file(file, dtype=precision, vae=vae, **configs, **without)
