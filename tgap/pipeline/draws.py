"""Images that are drawn batch by batch, call after call, and kept so that drawing goes on."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing

import numpy as np

from tgap.core import Images, Indices, Saved
from tgap.core.checkpoint import Pieces
from tgap.core.progress import progress
from tgap.pipeline.sharing.crew import Batch

Sample = Callable[[Sequence[Batch]], Generator[Images]]
"""Draws the images of batches, in their order."""
Order = Callable[[Sequence[int]], Indices]
"""Positions of images in the order of drawing, of their noise seeds."""


def in_order(seeds: Sequence[int]) -> Indices:
    """As they are asked for."""
    return np.arange(len(seeds), dtype=np.int64)


class Draws:
    """Draws images, with progress shown.

    An image follows from its prompt and its noise seed, so that one that was drawn before an
    interruption is known again by its seed, whichever call asks for it.

    Args:
        sample: Draws.
        batch_size: Images that are drawn at once.
        what: What is drawn, in words.
        checkpoint: Keeps the images that are drawn already.
        kept: What is made of the images of a batch.
        order: In which images are drawn, so that few batches hold images of two settings.
    """

    def __init__(
        self,
        sample: Sample,
        batch_size: int,
        what: str,
        checkpoint: Pieces | None = None,
        kept: Callable[[Images], Images] = lambda images: images,
        order: Order = in_order,
    ) -> None:
        self._order = order
        self._sample, self._batch_size, self._what, self._kept = sample, batch_size, what, kept
        self._checkpoint = checkpoint or Pieces()
        self._stored: dict[int, Images] | None = None
        self._done = self._checkpoint.done
        self._unsaved: list[tuple[Images, Sequence[int]]] = []

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Images:
        """Draw one image per prompt, from noise of its seed; all seeds are different."""
        total = len(prompts)
        known = self._known(total)
        places = {at: known.pop(seed) for at, seed in enumerate(seeds) if seed in known}
        images: Images = np.empty((0, 1, 1, 1), np.uint8)
        for at, image in places.items():
            images = _room(images, total, image.shape)
            images[at] = image
        left = [at for at in self._order(seeds).tolist() if at not in places]
        parts = [left[at : at + self._batch_size] for at in range(0, len(left), self._batch_size)]
        batches = [([prompts[at] for at in part], [seeds[at] for at in part]) for part in parts]
        done, description = len(places), f"drawing {self._what}"
        with (
            progress(description, total, before=done) as advance,
            self._checkpoint.steps(),
            closing(self._sample(batches)) as drawn,
        ):
            for part, (_, own), some in zip(parts, batches, drawn, strict=True):
                some = self._kept(some)
                # all at once: put together at the end they would take twice the memory
                images = _room(images, total, some.shape[1:])
                images[part] = some
                done += len(part)
                advance(done)
                self._save(some, own)
        return images

    def _known(self, total: int) -> dict[int, Images]:
        """Images that were drawn before an interruption, by their seeds."""
        if self._stored is None:
            self._stored = {}
            # Of further trials' images it is not known here how many there will be.
            of = total if self._checkpoint.done <= total else None
            for piece in self._checkpoint.pieces("image", of):
                seeds = piece.arrays["seeds"].tolist()
                self._stored |= zip(seeds, piece.arrays["images"], strict=True)
        return self._stored

    def _save(self, images: Images, seeds: Sequence[int]) -> None:
        self._unsaved.append((images, seeds))
        self._done += len(seeds)
        self._checkpoint.offer(self._done, self._since)
        if self._checkpoint.done == self._done:
            self._unsaved.clear()

    def _since(self) -> Saved:
        """What is not on the disk yet."""
        images = np.concatenate([some for some, _ in self._unsaved])
        seeds = np.array([seed for _, own in self._unsaved for seed in own], np.int64)
        return Saved(self._done, {"images": images, "seeds": seeds}, {})


def _room(images: Images, total: int, shape: tuple[int, ...]) -> Images:
    """The array to fill, made when the first image says what shape it has."""
    return images if len(images) else np.empty((total, *shape), np.uint8)
