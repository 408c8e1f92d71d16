"""How much a tuning image resembles what the model draws for its prompt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tgap.core import Doubles, Images, Indices, Sampler, option
from tgap.core.settings import SCHEDULERS
from tgap.embedders.base import Embedder
from tgap.finetuners.oracles.base import Tuning, embedder_problems
from tgap.finetuners.oracles.scores.base import Score, Scorer
from tgap.metrics.vectors import cosines

if TYPE_CHECKING:
    import torch

Vectors = NDArray[Any]


@dataclass(kw_only=True)
class Generated(Score):
    """Cosine similarity with images that the model, as it is now, draws for the image's own prompt.

    The score of the thesis (Zhang 2024, section 4.8), which says neither in which space the cosine
    is taken, nor how many images are drawn, how, or how their cosines are reduced to one number. It
    draws anew for every batch (``every=0``), at ``samples`` x ``steps`` passes of the denoiser per
    prompt, twice that with guidance. With ``every=k`` images are kept for k optimizer steps.

    Args:
        embedder: The space; ``null`` is the generator's latents (means of the VAE's posterior).
        samples: Images drawn per prompt.
        every: Optimizer steps after which a prompt's images are drawn anew; 0: for every batch
            that is judged.
        scheduler: Of the drawing; ``null`` is one that suits the generator.
        steps: Of the drawing.
        guidance: Of the drawing; 1 is off and costs half.
        reduce: ``mean`` of the cosines with the prompt's images, or their ``max``: whether one of
            them is like it.
        center: Subtract the tuning set's mean vector from both sides first. Without it nearly all
            that is compared is what a domain's images have in common.
    """

    embedder: Embedder | None = field(
        default=None, metadata={"help": "space of the cosine, null = latents"}
    )
    samples: int = option(16, "images drawn per prompt", low=1, high=1_000_000)
    every: int = option(
        25, "steps before images are drawn anew, 0 = for every batch", low=0, high=1_000_000
    )
    scheduler: str | None = option(
        None, "of the drawing, null = one that suits the generator", choices=SCHEDULERS
    )
    steps: int = option(10, "of the drawing", low=1, high=1000)
    guidance: float = option(1.0, "of the drawing, 1 = off", low=1, high=100)
    batch_size: int = option(16, "images drawn at once", low=1, high=1_000_000, in_key=False)
    reduce: str = option("mean", "over a prompt's images", choices=("mean", "max"))
    center: bool = option(True, "subtract the tuning set's mean vector")

    def problems(self) -> list[str]:
        """An embedder that needs the run's classifier."""
        return embedder_problems(self.embedder)

    def schedulers(self) -> dict[str, str]:
        """Its own, if one is set."""
        return {} if self.scheduler is None else {"scheduler": self.scheduler}

    def scorer(self, tuning: Tuning, rng: np.random.Generator) -> Scorer:
        """Embeds the tuning images once; draws when asked."""
        space = _Latents(tuning) if self.embedder is None else _Embedded(self.embedder, tuning)
        middle = space.mean() if self.center else 0
        drawn = _Drawn(self, tuning, rng, lambda images: space.of_images(images) - middle)

        def score(rows: Indices) -> Doubles:
            prompts = np.array([tuning.images.prompts[row] for row in rows])
            drawn.refresh(list(dict.fromkeys(prompts.tolist())))
            ours, scores = space.of_rows(rows) - middle, np.empty(len(rows))
            for prompt in np.unique(prompts).tolist():
                own = prompts == prompt
                alike = cosines(ours[own], drawn.vectors(prompt))
                scores[own] = alike.mean(axis=1) if self.reduce == "mean" else alike.max(axis=1)
            return scores

        return score


class _Embedded:
    """Vectors of an embedder."""

    def __init__(self, embedder: Embedder, tuning: Tuning) -> None:
        self.of_images: Callable[[Images], Vectors] = embedder.embed
        self.vectors: Vectors = embedder.embed(tuning.images.images)

    def mean(self) -> Vectors:
        return np.asarray(self.vectors.mean(axis=0, keepdims=True))

    def of_rows(self, rows: Indices) -> Vectors:
        return self.vectors[rows]


class _Latents:
    """Means of the VAE's posterior."""

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning

    def mean(self) -> Vectors:
        return _flat(self.tuning.moments.mean(dim=0)[:1])

    def of_rows(self, rows: Indices) -> Vectors:
        return _flat(self.tuning.latents(rows))

    def of_images(self, images: Images) -> Vectors:
        return _flat(self.tuning.model.moments(images)[:, 0])


def _flat(latents: "torch.Tensor") -> Vectors:
    return np.asarray(latents.flatten(1).cpu())


class _Drawn:
    """The model's own images as vectors, by prompt."""

    def __init__(
        self,
        how: Generated,
        tuning: Tuning,
        rng: np.random.Generator,
        embed: Callable[[Images], Vectors],
    ) -> None:
        self.how, self.tuning, self.rng, self.embed = how, tuning, rng, embed
        self.memory = tuning.new_memory()
        self.sampler = Sampler(
            scheduler=how.scheduler or tuning.model.usual_scheduler,
            steps=how.steps,
            guidance=how.guidance,
            batch_size=how.batch_size,
        )

    def vectors(self, prompt: str) -> Vectors:
        """Of the images that were drawn last for a prompt."""
        return self.memory[f"images of {prompt}"]

    def refresh(self, prompts: list[str]) -> None:
        """Draw anew for those of the prompts whose images are missing or too old."""
        stale = [prompt for prompt in prompts if self._stale(prompt)]
        if not stale:
            return
        wanted = [prompt for prompt in stale for _ in range(self.how.samples)]
        seeds = self.rng.integers(2**63, size=len(wanted)).tolist()
        images = self.tuning.draw(wanted, seeds, self.sampler)
        vectors = self.embed(images).reshape(len(stale), self.how.samples, -1)
        for prompt, drawn in zip(stale, vectors, strict=True):
            self.memory[f"images of {prompt}"] = drawn
            self.memory[f"step of {prompt}"] = np.array(self.tuning.step)

    def _stale(self, prompt: str) -> bool:
        drawn_at = self.memory.get(f"step of {prompt}")
        if self.how.every == 0 or drawn_at is None:
            return True
        return self.tuning.step - int(drawn_at) >= self.how.every
