"""The parts whose speed matters at scale; each prints a line per figure with its target."""

import functools
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

N, D = 10_000, 512


def show(what: str, figure: str, target: str = "") -> None:
    """One line of the report."""
    print(f"{what:58} {figure:>22}  {target}", flush=True)


def memory(field: str) -> float:
    """A figure of this process's memory (Linux), in GB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 2**20 for line in lines if line.startswith(field))


def cloud(count: int = N) -> np.ndarray:
    """Unit vectors in one connected cloud, with mean cosine .8, as CLIP gives them."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((count, D)) / np.sqrt(D) + 2 / np.sqrt(D)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clumps() -> np.ndarray:
    """10,000 unit vectors in 10 clusters, whose neighbour graph falls apart."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((10, D))[rng.integers(10, size=N)]
    vectors = centres + 0.5 * rng.standard_normal((N, D))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def spectral() -> None:
    """Spectral clustering, time and memory."""
    import logging

    import faiss  # noqa: F401  (imports are not what is measured)
    import scipy.sparse.linalg  # noqa: F401
    import sklearn.cluster  # noqa: F401

    from tgap.selectors.base import Candidates
    from tgap.selectors.clusterers.spectral import Spectral

    logging.disable(logging.WARNING)
    cases = (
        ("10,000 x 512, one cloud", cloud, "4 s, 0.5 GB"),
        ("10,000 x 512, 10 clusters", clumps, "4 s, 0.5 GB"),
        ("112,120 x 512, one cloud", functools.partial(cloud, 112_120), "180 s, 1.5 GB"),
    )
    for name, make, target in cases:
        vectors = make()
        count = len(vectors)
        candidates = Candidates(vectors, np.zeros((count, 0), bool), np.arange(count))
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        start = time.perf_counter()
        Spectral().cluster(candidates, np.random.default_rng(0))
        took = time.perf_counter() - start
        peak = memory("VmHWM") - before
        show(f"spectral, {name}", f"{took:.1f} s, {peak:.2f} GB", target)


def embedding() -> None:
    """10,000 images through the packaged CLIP."""
    from tgap.embedders.clip import Clip

    images = np.random.default_rng(0).integers(0, 256, (N, 32, 32, 1), dtype=np.uint8)
    embedder = Clip()
    embedder.embed(images[:10])  # loads it
    start = time.perf_counter()
    embedder.embed(images)
    show(
        "10,000 images of 32 x 32 by the tiny CLIP", f"{time.perf_counter() - start:.1f} s", "30 s"
    )


def decoding() -> None:
    """1024 x 1024 grey PNG files to 256 x 256, against one thread of Pillow."""
    from tgap.datasets.reading.decoding import decode_all

    count = 80
    with tempfile.TemporaryDirectory() as folder:
        paths = films(Path(folder), count)
        pillow = decoded_by_pillow(paths, 256)
        start = time.perf_counter()
        decode_all(paths, [path.name for path in paths], 256)
        ours = count / (time.perf_counter() - start)
    cores = os.cpu_count() or 1
    show("decoding 1024 x 1024 grey PNG to 256 x 256, Pillow, 1 thread", f"{pillow:.0f} images/s")
    share = ours / (pillow * cores)
    show(
        f"the same by tgap on {cores} cores",
        f"{ours:.0f} images/s",
        f"{share:.2f} x cores x 1 thread (target 0.90)",
    )


def films(folder: Path, count: int) -> list[Path]:
    """Grey PNG files of 1024 x 1024, smooth and a little noisy."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(count)]
    rows, columns = np.indices((1024, 1024)) / 1024
    for path in paths:
        picture = 120 + 90 * np.sin(3 * rows + rng.uniform(0, 6)) * np.cos(4 * columns)
        noisy = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255)
        Image.fromarray(noisy.astype(np.uint8)).save(path, compress_level=6)
    return paths


def decoded_by_pillow(paths: Sequence[Path], side: int) -> float:
    """Images that are decoded and reduced in a second by one thread, as a usual loader does."""
    start = time.perf_counter()
    for path in paths:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.resize((side, side), Image.Resampling.BICUBIC)
    return len(paths) / (time.perf_counter() - start)


def chexnet() -> None:
    """CheXNet's training rate, the share of time spent waiting for data, and their rate."""
    import logging

    from tgap.classifiers.chexnet import Chexnet
    from tgap.core.types import ImageSet

    logging.disable(logging.WARNING)
    rng = np.random.default_rng(0)
    for size, count in ((32, 640), (64, 320), (224, 64)):
        images = rng.integers(0, 256, (count, size, size, 1), dtype=np.uint8)
        train = ImageSet(
            images,
            np.eye(2, dtype=bool)[np.arange(count) % 2],
            ("a", "b"),
            np.zeros((count, 0), bool),
            (),
            np.arange(count, dtype=np.int64),
        )
        epochs: list[dict[str, float]] = []

        def record(epoch: int, values: dict[str, float], to: list[dict[str, float]]) -> None:
            to.append(values)

        Chexnet(weights=None, epochs=2).fit(
            train, np.random.default_rng(0), functools.partial(record, to=epochs)
        )
        last = epochs[-1]
        rate = 0.85 * count / last["seconds"]
        waiting = last["data_seconds"] / last["seconds"]
        show(f"chexnet training at {size} x {size}", f"{rate:.1f} images/s", f"waits {waiting:.2%}")
    data = rate / waiting
    with tempfile.TemporaryDirectory() as folder:
        decoding = decoded_by_pillow(films(Path(folder), 80), 224)
    ratio = f"{data / decoding:.1f} x a loader that decodes PNG, {decoding:.0f} (target 5)"
    show("its data side at 224 x 224", f"{data:.0f} images/s", ratio)


def checking() -> None:
    """A sweep of 40 runs over a folder of 20,000 files, before its first run starts."""
    from tgap.composition.compose import hydra_ready
    from tgap.composition.sweeps import expand
    from tgap.sweeps.checking import check_jobs

    with tempfile.TemporaryDirectory() as name:
        os.environ["TGAP_HOME"] = f"{name}/home"
        picture = Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32))
        for number in range(20_000):
            folder = Path(name) / "images" / f"label{number % 2}"
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{number}.png")
        words = f"dataset=image_folder dataset.path={name}/images dataset.size=32 seed=0,1".split()
        sizes = ",".join(map(str, range(10, 210, 10)))
        for what in ("decoded and checked", "checked"):
            with hydra_ready() as hydra:
                start = time.perf_counter()
                jobs = expand(hydra, [*words, "dataset.domain=thing", f"size={sizes}"])
                runs = check_jobs(hydra, jobs)
                took = time.perf_counter() - start
            show(f"{len(runs)} runs over 20,000 files {what}", f"{took:.1f} s", "3 s, once decoded")


def nih_metadata() -> None:
    """The real table of ChestX-ray14, which torchxrayvision carries, parsed and split."""
    import importlib.util

    from tgap.core.settings import Splitting
    from tgap.core.types import ImageSet
    from tgap.datasets.radiographs.nih_table import read
    from tgap.protocols.clean import Clean

    found = importlib.util.find_spec("torchxrayvision")
    if found is None or found.origin is None:
        show("NIH metadata", "torchxrayvision is not installed")
        return
    file = Path(found.origin).parent / "data" / "Data_Entry_2017_v2020.csv.gz"
    start = time.perf_counter()
    table = read(file)
    sick = table.findings.any(axis=1)
    data = ImageSet(
        np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (len(sick), 1, 1, 1)),
        np.stack([~sick, sick], axis=1),
        ("no_finding", "unhealthy"),
        np.zeros((len(sick), 0), bool),
        (),
        table.patients,
    )
    split = Clean().split(data, Splitting())
    took = time.perf_counter() - start
    rates = [abs(sick[part].mean() - sick.mean()) for part in (split.pool, split.real_test)]
    show(
        f"{len(sick):,} rows of NIH's table parsed, checked, split",
        f"{took:.1f} s",
        f"3 s; rates within {100 * max(rates):.3f} points (target 0.5)",
    )


def phantoms() -> None:
    """Drawing X-ray phantoms."""
    import logging

    from tgap.datasets.phantom_xray import PhantomXray

    logging.disable(logging.WARNING)
    for size, count, target in ((64, 1500, ""), (256, 600, "150 images/s")):
        start = time.perf_counter()
        PhantomXray(images=count, size=size).load()
        rate = count / (time.perf_counter() - start)
        show(f"phantoms of {size} x {size}", f"{rate:.0f} images/s", target)


def preparing() -> None:
    """Memory of reading a folder in NIH's layout, and its slope over the number of images."""
    import resource

    from tgap.datasets.phantoms.writing import write_nih

    counts, peaks = (2_000, 12_000), []
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            folder = Path(name) / str(count)
            write_nih(folder, count, 64)
            words = [f"dataset.path={folder}", "dataset=nih_chestxray14", "dataset.size=64"]
            environment = dict(os.environ, TGAP_HOME=str(folder / ".tgap"))
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", "from tgap.cli.main import main; main()", "data", *words],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            took = time.perf_counter() - start
            # The largest child so far, and each is larger than the one before.
            peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)
            show(
                f"{count:,} images of 64 x 64 read, split, described",
                f"{took:.0f} s, {peaks[-1]:.2f} GB",
            )
    slope = (peaks[1] - peaks[0]) / (counts[1] - counts[0])
    beyond = peaks[0] + slope * (112_120 - counts[0]) - 112_120 * 64**2 / 2**30
    show("at 112,120 images, beyond the array (by the slope)", f"{beyond:.2f} GB", "1 GB")


def resampling() -> None:
    """2,000 bootstrap resamples of a run's four legs with 10,000 test images and two labels."""
    from tgap.metrics.resampling import resampled_auroc_per_label

    rng = np.random.default_rng(0)
    labels = np.eye(2, dtype=bool)[rng.integers(2, size=10_000)]
    scores = (labels + rng.normal(size=labels.shape)).astype(np.float32)
    start = time.perf_counter()
    for leg in range(4):
        patients = rng.integers(3_000, size=10_000)
        resampled_auroc_per_label(scores, labels, patients, 2_000, np.random.default_rng(leg))
    show(
        "2,000 resamples of four legs, 10,000 images",
        f"{time.perf_counter() - start:.1f} s",
        "10 s",
    )


def evaluating() -> None:
    """``tgap evaluate`` on 1,000 real and 1,000 other digits, in a fresh process and store."""
    from tgap.datasets.digits import Digits

    digits = Digits().load()
    rows = np.random.default_rng(0).permutation(len(digits))
    with tempfile.TemporaryDirectory() as name:
        for side, chosen in (("real", rows[:1000]), ("synthetic", rows[1000:2000])):
            for row in chosen:
                label = digits.label_names[int(digits.labels[row].argmax())]
                folder = Path(name) / side / label
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(digits.images[row, :, :, 0]).save(folder / f"{row}.png")
        words = ["--real", f"{name}/real", "--synthetic", f"{name}/synthetic", "--size", "32"]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "from tgap.cli.main import main; main()", "evaluate", *words],
            cwd=name,
            env=dict(os.environ, TGAP_HOME=f"{name}/.tgap"),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        took = time.perf_counter() - start
    show("tgap evaluate, 1,000 + 1,000 digits", f"{took:.0f} s", "300 s")


PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part
    for part in (
        checking,
        spectral,
        embedding,
        decoding,
        chexnet,
        nih_metadata,
        phantoms,
        preparing,
        resampling,
        evaluating,
    )
}
