"""How seconds and memory of each stage grow with the number of images.

Each figure comes from a process of its own that has done the same on a few images before, so that
neither imports nor what another figure left in memory counts. Seconds are the processor's, of all
threads together: those do not grow by what else the machine does.
"""

import logging
import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from experiments.bench.measure import Row, Scale
from experiments.bench.scale import cloud, memory
from experiments.bench.tuning import images as prompted_images
from tgap.core import Budget, Images, ImageSet, Sampler

PRELOADED = ["torch", "diffusers", "transformers", "peft", "open_clip", "faiss", "sklearn.cluster"]
FEW = 32
BATCH = 32
"""Tuning images of a step."""
Work = Callable[[], object]


def _digits(count: int, side: int = 32) -> Images:
    """Random ones: what is in a picture takes no time."""
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 1), dtype=np.uint8)


def decoding(count: int, folder: Path) -> Work:
    """Grey PNG files of 512 x 512 read at 64 x 64."""
    from PIL import Image

    from tgap.datasets.reading.decoding import decode_all

    ramp = np.add.outer(np.arange(512), np.arange(512)) // 4
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray((ramp + number).astype(np.uint8)).save(path)
    return partial(decode_all, paths, [path.name for path in paths], 64)


def embedding(count: int, _: Path) -> Work:
    """The packaged CLIP."""
    from tgap.embedders.clip import Clip

    return partial(Clip().embed, _digits(count))


def selecting(count: int, _: Path) -> Work:
    """Spectral clusters of vectors of 512 numbers."""
    from tgap.selectors.base import Candidates
    from tgap.selectors.clusterers.spectral import Spectral

    candidates = Candidates(cloud(count), np.zeros((count, 0), bool), np.arange(count))
    return partial(Spectral().cluster, candidates, np.random.default_rng(0))


def tuning(count: int, _: Path) -> Work:
    """DreamBooth: images that are trained on, a quarter as many prior images beside them."""
    from experiments.bench.pipelines import miniature
    from tgap.finetuners.dreambooth import Dreambooth

    model = miniature()
    sets = [prompted_images(model, 200, prompts) for prompts in (("odd", "even"), ("digit",))]
    budget = Budget(steps=math.ceil(count / BATCH), batch_size=BATCH)
    return partial(Dreambooth().finetune, model, *sets, budget, np.random.default_rng(0))


def drawing(count: int, _: Path) -> Work:
    """Five steps of the packaged generator, where 20 are usual."""
    from experiments.bench.pipelines import miniature

    prompts, seeds = ["an image of odd digit"] * count, list(range(count))
    return partial(miniature().sample, prompts, seeds, Sampler(steps=5))


def classifying(count: int, _: Path) -> Work:
    """The small network, 12 passes."""
    from tgap.classifiers.small_cnn import SmallCnn

    train = ImageSet(
        images=_digits(count),
        labels=np.eye(2, dtype=bool)[np.arange(count) % 2],
        label_names=("odd", "even"),
        findings=np.zeros((count, 0), bool),
        finding_names=(),
        patients=np.arange(count, dtype=np.int64),
    )
    return partial(SmallCnn().fit, train, np.random.default_rng(0))


def copies(count: int, _: Path) -> Work:
    """Both searches, of as many tuning images as there are synthetic ones."""
    from tgap.metrics.changed_copies import Originals
    from tgap.metrics.copies import resemblance

    tuned, drawn = np.split(_digits(2 * count), 2)
    return lambda: (resemblance(drawn, tuned), Originals(tuned).resemblance(drawn))


def distances(count: int, _: Path) -> Work:
    """Frechet distance, KID, precision to coverage, of vectors of 512 numbers."""
    from tgap.metrics.distances import frechet, kid
    from tgap.metrics.neighbours import clipped, prdc

    real, fake = np.split(cloud(2 * count), 2)
    return lambda: [each(real, fake) for each in (frechet, kid, prdc, clipped)]


def intervals(count: int, _: Path) -> Work:
    """2,000 resamples of the AUROC of two labels."""
    from tgap.metrics.resampling import resampled_auroc_per_label

    rng = np.random.default_rng(0)
    labels = np.eye(2, dtype=bool)[rng.integers(2, size=count)]
    scores = (labels + rng.normal(size=labels.shape)).astype(np.float32)
    return partial(resampled_auroc_per_label, scores, labels, np.arange(count), 2_000, rng)


STAGES: dict[str, tuple[Callable[[int, Path], Work], tuple[int, ...]]] = {
    "decoding": (decoding, (100, 200, 400, 800)),
    "embedding": (embedding, (500, 1_000, 2_000, 4_000)),
    "selecting (spectral clusters)": (selecting, (1_250, 2_500, 5_000, 10_000)),
    "tuning": (tuning, (128, 256, 512, 1_024)),
    "drawing, 5 steps": (drawing, (128, 256, 512, 1_024)),
    "training a classifier": (classifying, (250, 500, 1_000, 2_000)),
    "searching for copies": (copies, (125, 250, 500, 1_000)),
    "distances": (distances, (500, 1_000, 2_000, 4_000)),
    "intervals": (intervals, (1_250, 2_500, 5_000, 10_000)),
}
"""What is done, and numbers of images."""


@dataclass(frozen=True)
class Power:
    """``y = a * n ** exponent``, by least squares of logarithms.

    Args:
        exponent: 1 grows in proportion.
        error: Its standard error; 0 of two points.
    """

    exponent: float
    error: float

    @classmethod
    def of(cls, counts: Sequence[int], values: Sequence[float]) -> "Power":
        """NaN if a value is not above 0."""
        from scipy.stats import linregress

        if min(values) <= 0:
            return cls(math.nan, math.nan)
        line = linregress(np.log(counts), np.log(values))
        return cls(float(line.slope), float(line.stderr))

    def __str__(self) -> str:
        """``n^1.02 ± .03``."""
        return f"n^{self.exponent:.2f} ± {self.error:.2f}"


@dataclass(frozen=True)
class Growth(Row):
    """A stage at several sizes; ``values`` are its processor seconds.

    Args:
        counts: Images.
        megabytes: The most that the process held, beyond what it held before.
        seconds_grow: As this power.
        memory_grows: As this one.
    """

    counts: Sequence[int] = ()
    megabytes: Sequence[float] = ()
    seconds_grow: Power = field(default=Power(math.nan, math.nan))
    memory_grows: Power = field(default=Power(math.nan, math.nan))

    def text(self) -> str:
        """The line: at each size seconds and memory, then how both grow."""
        sizes = zip(self.counts, self.values, self.megabytes, strict=True)
        cells = [f"{count:,}: {took:.2f} s, {held:.0f} MB" for count, took, held in sizes]
        grows = f"seconds {self.seconds_grow}, memory {self.memory_grows}"
        return f"{self.what:30} {' | '.join(cells)} | {grows}"


def growth(scale: Scale) -> list[Row]:
    """Each stage at four numbers of images."""
    rows: list[Row] = []
    for what, (_, counts) in STAGES.items():
        sizes = (FEW, 2 * FEW) if scale.quick else counts
        taken = [_in_its_own_process(what, count, warm=not scale.quick) for count in sizes]
        seconds, held = ([one[side] for one in taken] for side in (0, 1))
        powers = Power.of(sizes, seconds), Power.of(sizes, held)
        rows.append(Growth(what, "", seconds, "s", None, "", "", sizes, held, *powers))
    return rows


def _in_its_own_process(what: str, count: int, warm: bool) -> tuple[float, float]:
    # From a server that has loaded the libraries and computed nothing: a process that is forked
    # after its parent's threads have computed may wait for them for ever.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with context.Pool(1) as pool:
        taken = pool.apply(_measured, (what, count, warm))
        pool.close()  # it ends by itself: one that is killed leaves locks behind
        pool.join()
        return taken


def _measured(what: str, count: int, warm: bool) -> tuple[float, float]:
    """Processor seconds, and megabytes at most beyond those before (Linux)."""
    logging.disable(logging.WARNING)
    prepare, _ = STAGES[what]
    with TemporaryDirectory() as folder:
        if warm:
            prepare(FEW, Path(folder))()
        work = prepare(count, Path(folder))
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = time.process_time()
        work()
        took = time.process_time() - start
        return took, 1024 * (memory("VmHWM") - before)
