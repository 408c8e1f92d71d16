"""Stable Diffusion 1.x and 2.x, and the packaged miniature of the same architecture."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tgap.core.origin import Origin
from tgap.generators.latent.files.layouts import CLIP, SCHEDULER, TOKENIZER, UNET, VAE, Layout
from tgap.generators.latent.files.source import Source, find
from tgap.generators.latent.pretrained import LatentGenerator

PACKAGED = Path(__file__).resolve().parent.parent / "assets" / "tiny_ldm"

STABLE_DIFFUSION = Layout(
    "StableDiffusionPipeline",
    {
        "vae": VAE,
        "unet": UNET,
        "text_encoder": CLIP,
        "tokenizer": TOKENIZER,
        "scheduler": SCHEDULER,
    },
    single_file=True,
    # the safety checker blacks out images that it misjudges
    without={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
)


@dataclass(kw_only=True)
class StableDiffusion(LatentGenerator):
    """Stable Diffusion (Rombach et al. 2022, arXiv 2112.10752), 1.x and 2.x, of any size.

    ``path`` is a diffusers folder, a hub id, or a ``.safetensors`` file in the layout of the
    original release; ``null`` is the packaged miniature, which draws printed letters, and which
    commands choose by the preset ``tiny_ldm`` only. The safety checker is left out: it blacks out
    images that it misjudges.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION

    def origin(self) -> Origin:
        """The packaged miniature is tgap's own."""
        if self.path is not None:
            return super().origin()
        source = "the miniature of Stable Diffusion that is packaged with tgap, which draws letters"
        return Origin(source, "Apache-2.0", "apache-2.0")

    def check(self) -> list[str]:
        """No weights named, besides: the miniature is chosen by its own name, never by mistake."""
        if self.path is None and not self.name:
            return [
                "generator.path must be set for generator 'stable_diffusion': a diffusers folder, "
                "a .safetensors file or a hub id (owner/name); the miniature that is packaged with "
                "tgap is generator=tiny_ldm"
            ]
        return super().check()

    def source(self) -> Source:
        """Where the files are."""
        if self.path is None:
            return find(str(PACKAGED), self.revision, self.config, False, self.layout)
        return super().source()
