"""Stable Diffusion 1.x and 2.x, and the packaged miniature of the same architecture."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tgap.core import option
from tgap.core.origin import Origin
from tgap.generators.latent.files.layouts import CLIP, SCHEDULER, TOKENIZER, UNET, VAE, Layout
from tgap.generators.latent.files.source import Source, find
from tgap.generators.latent.pretrained import LatentGenerator

ASSETS = Path(__file__).resolve().parent.parent / "assets"
PACKAGED = {"tiny_ldm": "letters", "tiny_xray": "chest X-ray phantoms, and letters"}
"""Miniatures of the architecture, and what they draw before they are tuned."""

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
    original release. The safety checker is left out: it blacks out images that it misjudges.

    Args:
        packaged: A miniature that is packaged with tgap, which counts where there is no path: its
            presets choose it, so that nobody gets it by mistake.
    """

    layout: ClassVar[Layout] = STABLE_DIFFUSION

    packaged: str | None = option(
        None, "a packaged miniature, where path is null", choices=(*PACKAGED,), in_key=False
    )  # digest() stands for it

    def origin(self) -> Origin:
        """The packaged miniatures are tgap's own."""
        if self.path is not None or self.packaged is None:
            return super().origin()
        source = "a miniature of Stable Diffusion that is packaged with tgap, which draws "
        return Origin(source + PACKAGED[self.packaged], "Apache-2.0", "apache-2.0")

    def check(self) -> list[str]:
        """No weights named, besides."""
        if self.path is None and self.packaged is None:
            return [
                "generator.path must be set for generator 'stable_diffusion': a diffusers folder, "
                "a .safetensors file or a hub id (owner/name); miniatures that are packaged with "
                f"tgap are generator={' and generator='.join(PACKAGED)}"
            ]
        return super().check()

    def source(self) -> Source:
        """Where the files are."""
        if self.path is None and self.packaged is not None:
            folder = str(ASSETS / self.packaged)
            return find(folder, self.revision, self.config, False, self.layout)
        return super().source()
