"""A loaded latent diffusion model: drawing, and the parts that finetuners work on."""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tgap.core import ContractError, DataError, Images, Indices, Sampler
from tgap.core.compiled import compile_blocks
from tgap.core.memory import batches_that_fit
from tgap.core.randomised import alike
from tgap.generators.latent.base import Conditioning, LatentModel, Noising
from tgap.generators.latent.drawing.aids import Aids
from tgap.generators.latent.files.folder import save_texts
from tgap.generators.latent.files.tokens import too_long
from tgap.generators.latent.noising import Diffusion
from tgap.generators.latent.schedulers import schedule_of, scheduler_named
from tgap.generators.latent.silence import quiet

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

MOST_NAMED = 10  # prompts in an error message
_READING = threading.RLock()
"""Held while prompts are read: tokenizers keep how they pad from one call to the next, and several
batches may be drawn at the same time."""
VAE_BATCH = 256  # images per pass of the VAE at most, and
VAE_PIXELS = 2**22  # so many pixels, which are 16 images of 512 x 512


class StableDiffusionModel(LatentModel):
    """A ``StableDiffusionPipeline`` ready to draw; grey (1 channel) or RGB (3 channels).

    Args:
        pipeline: Nothing here changes its modules, so several models may share them.
        image_size: Height and width of its images; ``None`` is what the UNet was trained at.
        words: Texts that are read instead of prompts: those with learned words in them.
        precision: Of the passes of denoiser and text encoders when it draws; float32 if ``None``.
            Latents, the sampler's arithmetic and the autoencoder are float32 whatever it is: the
            autoencoder sets every pixel, and that of Stable Diffusion XL overflows in float16.
        compiled: Whether the denoiser's blocks are compiled, here and wherever else it is used.
    """

    denoiser_name: ClassVar[str] = "unet"
    """Of the denoiser among the pipeline's components."""
    pipeline_names: ClassVar[Mapping[str, str]] = {"encoder_hidden_states": "prompt_embeds"}
    """The pipeline's names of what ``condition`` returns."""
    tokens_read: ClassVar[Mapping[str, int]] = MappingProxyType({})
    """Most tokens that the pipeline hands on, by tokenizer, if fewer than it says itself."""

    def __init__(
        self,
        pipeline: "DiffusionPipeline",
        image_size: int | None = None,
        words: Mapping[str, str] = MappingProxyType({}),
        precision: "torch.dtype | None" = None,
        compiled: bool = False,
    ) -> None:
        import torch

        self.denoiser, self.compiled = pipeline.components[self.denoiser_name], compiled
        if compiled:
            compile_blocks(self.denoiser)
        for part in (pipeline, pipeline.vae, self.denoiser):
            # Else the folder that it was loaded from is written into every folder it is saved to.
            part.register_to_config(_name_or_path="")
        pipeline.set_progress_bar_config(disable=True)
        self.pipeline = pipeline
        self.text_encoders = tuple(pipeline.components[name] for name in self._encoder_names())
        self.noising = self._noising()
        self.channels = int(pipeline.vae.config.in_channels)
        self.image_size, self.words = image_size, words
        self.precision = precision or torch.float32
        self.height, self.width = self._size()
        self.aids = Aids()
        """What it draws with besides a sampler."""
        self.at_once = sys.maxsize
        """Images that fit the memory when they are drawn, as far as is known."""

    def sample(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_images: Callable[[int], None] = lambda done: None,
        on_step: Callable[[], None] | None = None,
    ) -> Images:
        """Draw one image per prompt, from noise of the image's own seed, with the model's aids.

        Noise is drawn on the CPU, so a seed stands for the same noise on every device.

        Args:
            prompts: N texts.
            seeds: N noise seeds in [0, 2^64).
            sampler: Scheduler, steps, guidance (1: the guide's pass is left out). Images with the
                same of these are drawn together.
            on_images: Told how many images are done so far.
            on_step: Called after each of the sampler's steps; what it raises ends the drawing.

        Returns:
            ``(N, H, W, C)`` uint8.

        Raises:
            ContractError: If there are not as many seeds as prompts, or another model is the guide
                and there is none.
            DataError: If the sampler diverges, or a prompt is too long for the text encoder.
            OutOfMemoryError: If not even one image fits. Else a batch that does not is halved,
                which changes no image by more than rounding.
        """
        if len(prompts) != len(seeds):
            raise ContractError(f"{len(prompts)} prompts and {len(seeds)} seeds must be as many")
        with _READING:
            self._check_words(prompts)
        # Filled batch by batch: the images of a large synthetic set fill memory once, not twice.
        images = np.empty((len(prompts), self.height, self.width, self.channels), dtype=np.uint8)
        if not len(prompts):
            return images

        done = 0
        for own, rows in alike(sampler, seeds):
            for drawn in self._drawn(prompts, seeds, rows, own, images, on_step):
                on_images(done + drawn)
            done += len(rows)
        return images

    def _drawn(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        rows: Indices,
        sampler: Sampler,
        images: Images,
        on_step: Callable[[], None] | None,
    ) -> Iterator[int]:
        """Fill in some of the images, which are drawn alike; how many are done so far."""

        def work(part: slice) -> int:
            places = rows[part]
            texts, own = [prompts[row] for row in places], [seeds[row] for row in places]
            images[places] = self.decode(self.latents(texts, own, sampler, on_step))
            return int(part.stop)

        def fits(size: int) -> None:
            self.at_once = size

        size = min(sampler.batch_size, self.at_once)
        return batches_that_fit(len(rows), size, work, "images to be drawn", fits)

    def latents(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        sampler: Sampler,
        on_step: Callable[[], None] | None = None,
    ) -> "torch.Tensor":
        """What ``sample`` decodes, ``(N, c, h, w)`` float32, all drawn at once; arguments as there.

        Args:
            prompts: N texts.
            seeds: N noise seeds.
            sampler: Without ranges.
            on_step: Called after each step.
        """
        from tgap.generators.latent.drawing.latents import latents_of

        return latents_of(self, prompts, seeds, sampler, on_step)

    def moments(self, images: Images) -> "torch.Tensor":
        """VAE posterior ``(N, 2, c, h, w)``: mean and standard deviation, times the scaling factor.

        Raises:
            DataError: If the images' size or channels are not the model's.
        """
        import torch

        expected = (self.height, self.width, self.channels)
        if images.shape[1:] != expected:
            raise DataError(
                f"images must be {expected} (height, width, channels) for this generator, got "
                f"{images.shape[1:]}; resize or convert the dataset's images, or choose another "
                "generator"
            )
        shift, scale = self._scaling()
        moments = []
        # Without autocast even inside a training that has it: latents of half precision are what
        # everything after them would be trained on.
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            for batch in _batches(len(images), self.height * self.width):
                pixels = torch.from_numpy(images[batch].astype(np.float32) / 127.5 - 1)
                pixels = pixels.permute(0, 3, 1, 2).to(self.device)
                posterior = self.pipeline.vae.encode(pixels).latent_dist
                mean = posterior.mean - shift
                moments.append(torch.stack([mean, posterior.std], dim=1) * scale)
        return torch.cat(moments)

    def decode(self, latents: "torch.Tensor") -> Images:
        """Images of ``(N, c, h, w)`` latents, scaled as the UNet sees them; ``moments`` back."""
        import torch

        shift, scale = self._scaling()
        decoded = []
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            for batch in _batches(len(latents), self.height * self.width):
                pixels = self.pipeline.vae.decode(latents[batch] / scale + shift).sample
                grey = ((pixels + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)
                decoded.append(grey.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(decoded)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """``encoder_hidden_states`` ``(N, tokens, d)``, the text encoder's last hidden states.

        Raises:
            DataError: If a prompt has more tokens than the text encoder reads.
        """
        import torch

        texts = [self.words.get(prompt, prompt) for prompt in prompts]
        # A synthetic set has a few distinct prompts, each of them thousands of times.
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        with _READING:
            self._check_lengths(list(distinct))
            encoded = {name: t.float() for name, t in self._encoded(list(distinct)).items()}
        rows = torch.tensor([distinct[text] for text in texts], device=self.device)
        return {name: tensor[rows] for name, tensor in encoded.items()}

    def _encoded(self, prompts: list[str]) -> Conditioning:
        """Of distinct prompts that are not too long."""
        embeddings, _ = self.pipeline.encode_prompt(
            prompts, self.device, 1, do_classifier_free_guidance=False
        )
        return {"encoder_hidden_states": embeddings}

    def predict(
        self, noisy: "torch.Tensor", timesteps: "torch.Tensor", conditioning: Conditioning
    ) -> "torch.Tensor":
        """One pass of the denoiser in its own precision, or in autocast's; float32."""
        # One that is trained is float32 beside text encoders of half precision: its type decides.
        dtype = self.denoiser.dtype
        arguments = self._arguments({n: tensor.to(dtype) for n, tensor in conditioning.items()})
        predicted: torch.Tensor = self.denoiser(
            noisy.to(dtype), timestep=timesteps, **arguments, return_dict=False
        )[0]
        return predicted.float()

    def _arguments(self, conditioning: Conditioning) -> dict[str, Any]:
        """A conditioning as the denoiser's arguments."""
        return dict(conditioning)

    @property
    def device(self) -> "torch.device":
        """Where the denoiser is.

        The pipeline's own answer looks through all modules of all parts, at every step.
        """
        return next(self.denoiser.parameters()).device

    def with_parts(
        self,
        denoiser: "torch.nn.Module | None" = None,
        text_encoders: "tuple[torch.nn.Module, ...] | None" = None,
    ) -> Self:
        """The same model around another denoiser or text encoders; this one is left as it is."""
        parts: dict[str, Any] = {} if denoiser is None else {self.denoiser_name: denoiser}
        if text_encoders is not None:
            parts |= zip(self._encoder_names(), text_encoders, strict=True)
        return self._around(self.pipeline_with(**parts), self.words)

    def aided(self, aids: Aids) -> Self:
        """The same model, which draws with these."""
        made = self._around(self.pipeline_with(), self.words)
        made.adapter, made.aids = self.adapter, aids
        return made

    def with_words(
        self, tokenizer: Any, text_encoder: "torch.nn.Module", words: Mapping[str, str]
    ) -> Self:
        """The same model with a tokenizer and text encoder that know further words.

        Args:
            tokenizer: Knows the words.
            text_encoder: Has embeddings for them.
            words: Texts that are read instead of prompts, besides those there are.
        """
        pipeline = self.pipeline_with(tokenizer=tokenizer, text_encoder=text_encoder)
        return self._around(pipeline, {**self.words, **words})

    def save(self, folder: Path) -> None:
        """Write a diffusers folder, or an adapter in diffusers' format, as safetensors."""
        with quiet():
            if self.adapter is not None:
                self.adapter.save(self.pipeline, folder)
                return
            self.pipeline.save_pretrained(folder, safe_serialization=True)
        if self.words:
            save_texts(self.words, folder)

    def _size(self) -> tuple[int, int]:
        """Height and width of its images."""
        if self.image_size is not None:
            return self.image_size, self.image_size
        height, width = _pair(self.denoiser.config.sample_size)
        factor = int(self.pipeline.vae_scale_factor)
        return height * factor, width * factor

    def _around(self, pipeline: "DiffusionPipeline", words: Mapping[str, str]) -> Self:
        return type(self)(pipeline, self.image_size, words, self.precision, self.compiled)

    def _encoder_names(self) -> list[str]:
        """Names of the text encoders that the pipeline has."""
        parts = self.pipeline.components
        return sorted(n for n in parts if n.startswith("text_encoder") and parts[n] is not None)

    def pipeline_with(self, **replaced: Any) -> "DiffusionPipeline":
        """A pipeline of its own around the model's modules, some of them replaced."""
        # A pipeline keeps state between calls (guidance, scheduler), so each use gets a new one
        # around the same modules. Its settings too: they are saved with it, and some change what
        # it draws.
        settings = {
            name: value
            for name, value in self.pipeline.config.items()
            if not name.startswith("_") and name not in self.pipeline.components
        }
        parts = {**self.pipeline.components, **replaced}
        pipeline = type(self.pipeline)(**parts, **settings)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _noising(self) -> Noising:
        from diffusers import DDPMScheduler

        return Diffusion(DDPMScheduler.from_config(schedule_of(self.pipeline)))

    def scheduler_named(self, name: str) -> Any:
        """What it is drawn from with, by its name in ``sampler.scheduler``, fresh."""
        return scheduler_named(name, self.pipeline)

    def _scaling(self) -> tuple[float, float]:
        """What is taken from the VAE's latents, and what they are then multiplied by."""
        config = self.pipeline.vae.config
        return config.get("shift_factor") or 0.0, config.scaling_factor

    def _check_words(self, prompts: Sequence[str]) -> None:
        # Without its word a prompt would draw what the untuned model draws.
        for prompt in prompts if self.words else ():
            if prompt not in self.words and not any(w in prompt for w in self.words.values()):
                raise DataError(
                    f"this generator has learned words in place of whole prompts, and none for "
                    f"'{prompt}'; prompts it can draw: "
                    + "; ".join(f"'{text}'" for text in list(self.words)[:MOST_NAMED])
                    + (f" and {more} more" if (more := len(self.words) - MOST_NAMED) > 0 else "")
                )

    def _check_lengths(self, prompts: list[str]) -> None:
        # a learned word may be many tokens, where the pipeline can have such
        written_out = getattr(self.pipeline, "maybe_convert_prompt", lambda texts, _: texts)
        for encoder in self._encoder_names():
            name = encoder.replace("text_encoder", "tokenizer")
            tokenizer = self.pipeline.components[name]
            most = min(tokenizer.model_max_length, self.tokens_read.get(name, sys.maxsize))
            texts = dict(zip(prompts, written_out(prompts, tokenizer), strict=True))
            for problem in too_long(tokenizer, texts, most):
                raise DataError(problem)


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _batches(count: int, pixels: int) -> Iterator[slice]:
    step = max(1, min(VAE_BATCH, VAE_PIXELS // pixels))
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
