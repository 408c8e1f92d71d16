"""``tgap evaluate``: a run that scores a synthetic set made elsewhere, put into a run's words."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tgap.cli.overrides import PATH, multirun_flag, takes_overrides
from tgap.cli.run import run_overrides
from tgap.cli.terminal import log_to_terminal
from tgap.core import ConfigError
from tgap.core.words import quoted
from tgap.datasets.base import of_node, warned
from tgap.datasets.reading import tables
from tgap.generators.base import TRAIN_SHARE

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from tgap.composition.config import Run
    from tgap.core import ImageSet
    from tgap.datasets.base import Dataset

log = logging.getLogger(__name__)
NAMED_SETS = 3
"""Names of more sets are shortened."""
LEAST_DRAWN = 3
"""Fewer images of a label cannot be divided into two that train and one that is tested on."""
ALIKE = 0.9
"""Sets of a generator that have fewer images, as a share of the largest, are told of."""
POOL, TUNING_POOL = 0.2, 0.1
"""Shares of the real images that are the pool."""
MIN_REAL = 20
"""Fewer real images cannot be divided into three sets that have all labels."""
TUNED_ON = "generator.tuned_on"
FINDINGS = "findings"
"""The column of findings that a table may have."""


def evaluation_overrides(
    real: Path | None,
    synthetic: Path,
    tuning: Path | None,
    size: int,
    color: str,
    overrides: Sequence[str],
    config_dir: str | None = None,
    further: Sequence[Path] = (),
    draws: int = 1,
) -> list[str]:
    """The words of a run that evaluates a synthetic set, or of a sweep over several draws.

    A folder has a sub-folder per label, or, given as a CSV or JSONL file beside its images, a
    table with the columns ``file``, ``label``, ``patient`` and ``findings``, of which the file only
    is needed. Where labels of either side are not known, they are not used.

    A fifth of the real images is the pool, in which copies are looked for (a tenth with
    ``tuning``, which takes its place); half of the rest trains the real classifier, half is tested
    on. As many synthetic images of a label train as real ones do, two thirds at most; all others
    are tested on. Each draw is a seed of one method.

    Args:
        real: Real images; ``None`` if the overrides choose a dataset.
        synthetic: The synthetic set.
        tuning: The images that its generator was tuned on, if they are known.
        size: Height and width that all images are brought to.
        color: ``grey`` or ``rgb``.
        overrides: Further words; they win.
        config_dir: Folder of further configs.
        further: Further synthetic sets, each a draw of the same generator.
        draws: Disjoint draws that one synthetic set is divided into.

    Raises:
        ConfigError: If a folder is not such a folder.
    """
    from tgap.composition.compose import compose_run, hydra_ready
    from tgap.composition.sweeps import expand

    folders = {"generator.images": synthetic}
    if real is not None:
        folders["dataset"] = real
    if tuning is not None:
        folders[TUNED_ON] = tuning
    words = _drawn(synthetic, further, draws, overrides)
    for node, path in folders.items():
        words.append(f"{node.replace('.', '/')}=image_folder")
        settings = {"size": size, "color": color, "path": quoted(str(path))}
        settings |= {key: quoted(value) for key, value in _columns(path).items()}
        words += [f"{node}.{key}={value}" for key, value in settings.items()]
    words += [] if tuning is None else [f"{TUNED_ON}.labelled=false"]
    if real is not None:
        words.append("dataset.domain=image")
    with hydra_ready(config_dir) as hydra:
        sides = [node for node in folders if node != TUNED_ON]
        words += _labelled(hydra, words, sides, overrides)
        run = compose_run(hydra, expand(hydra, [*words, *overrides])[0])  # of a sweep, its first
    share = POOL if tuning is None else TUNING_POOL
    words += _sizes(run, _sets(run, 1 + len(further)), draws, share, divide=real is not None)
    if tuning is None:
        log.warning(
            "it is not known what the synthetic images' generator was tuned on (--tuning): copies "
            "are looked for in the pool, a fifth of the real images, and may be of others"
        )
    return [*words, *overrides]


def _drawn(
    synthetic: Path, further: Sequence[Path], draws: int, overrides: Sequence[str]
) -> list[str]:
    """The words that make each draw a seed."""
    words = ["generator=ready_made", f"generator.name={quoted(_name(synthetic, further))}"]
    words += [f"generator.draws={draws}"] if draws > 1 else []
    if further:
        words.append(f"generator.further=[{','.join(quoted(str(path)) for path in further)}]")
    drawn = max(draws, 1 + len(further))
    if drawn > 1 and not any(word.startswith("seed=") for word in overrides):
        words.append(f"seed={','.join(map(str, range(drawn)))}")
    return words


def _name(first: Path, further: Sequence[Path]) -> str:
    """Of the method: ``a+b+c``, or ``a..h`` of many sets."""
    stems = [path.stem for path in (first, *further)]
    return "+".join(stems) if len(stems) <= NAMED_SETS else f"{stems[0]}..{stems[-1]}"


def _sets(run: "Run", count: int) -> list["Dataset"]:
    """The synthetic sets, a draw of the generator each."""
    settings = vars(run.generator)
    return [
        type(run.generator)(**{**settings, "draw": n}).ready_made()["images"] for n in range(count)
    ]


def _columns(path: Path) -> dict[str, str]:
    """A table's column of findings, by the setting that names it; patients' is found anyway."""
    if path.suffix.lower() not in tables.SUFFIXES:
        return {}
    return {"findings_column": FINDINGS} if FINDINGS in tables.read_table(path).columns else {}


def _labelled(
    hydra: "Hydra", words: Sequence[str], nodes: Sequence[str], overrides: Sequence[str]
) -> list[str]:
    """Whether labels are used: where the datasets, as they are composed, know those of all."""
    from tgap.composition.compose import compose_run
    from tgap.composition.sweeps import expand

    asking = [f"{node}.labelled=null" for node in nodes]
    run = compose_run(hydra, expand(hydra, [*words, *asking, *overrides])[0])
    sides = (run.dataset, run.generator.ready_made()["images"])
    labelled = all(side.is_labelled() for side in sides)
    if not labelled:
        log.warning(
            "labels are not known of all images, so only fidelity, diversity and memorisation are "
            "evaluated; for the rest, put images into a folder per label, or give a table with a "
            "column 'label' (dataset.label_column=, generator.images.label_column= name others)"
        )
    return [f"{node}.labelled={str(labelled).lower()}" for node in nodes]


def _sizes(
    run: "Run", sets: Sequence["Dataset"], draws: int, pool_share: float, divide: bool
) -> list[str]:
    """How the real images are divided, if they are to be, and how many of the synthetic train."""
    words: list[str] = []
    real_train: float = math.inf
    with warned(silent=True):  # which is told when the images are read
        real = run.dataset.listed() if divide else None
    if real is not None:
        words += _split_sizes(len(real), pool_share)
        real_train = _most(real) * (1 - pool_share) / 2
    most = []
    for images in sets:
        with of_node("generator.images", images), warned(silent=True):
            synthetic = images.listed()
        if synthetic is not None:
            most.append(_most(synthetic) // draws)
    if not most:
        return words
    if draws > 1 and min(most) < LEAST_DRAWN:
        raise ConfigError(
            f"a draw has {min(most)} images of its most frequent label; it needs at least "
            f"{LEAST_DRAWN} to train and test on: give more images, or fewer --draws"
        )
    if min(most) < ALIKE * max(most):
        log.warning(
            "the synthetic sets have from %d to %d images of their most frequent label: draws that "
            "differ in size differ in what they teach; give sets of equal size",
            min(most),
            max(most),
        )
    return words + _budget(min(most), real_train, run.budget.equal)


def _split_sizes(images: int, pool_share: float) -> list[str]:
    if images < MIN_REAL:
        raise ConfigError(
            f"--real holds {images} images; pool, train and test set need at least {MIN_REAL}"
        )
    pool = round(images * pool_share)
    side = (images - pool) // 2
    return [f"pool_size={pool}", f"train_size={side}", f"test_size={side}"]


def _most(images: "ImageSet") -> int:
    """Images of the label that has most."""
    return max(images.label_counts().values(), default=0)


def _budget(most: int, real_train: float, equal: bool) -> list[str]:
    """As many images of a label as real_train has: equal ones are as few as the rarer side's.

    So the words do not depend on how many synthetic ones there are, and methods can be compared.
    """
    share = most * TRAIN_SHARE
    known = real_train if math.isfinite(real_train) else share
    return [f"budget.train_per_label={max(2, int(known if equal else max(known, share)))}"]


def _require_different(real: Path | None, synthetic: Sequence[Path], tuning: Path | None) -> None:
    """See that no set stands on two sides: a set is like itself, which would say nothing."""
    sides = [("--synthetic", path) for path in synthetic]
    sides += [("--real", real)] if real is not None else []
    told: dict[Path, str] = {}
    for flag, path in sides:
        if before := told.get(path.resolve()):
            raise ConfigError(
                f"{flag} {path} is given as {before} already: a set says nothing about itself; "
                "name another folder"
            )
        told[path.resolve()] = flag
    if tuning is not None and told.get(tuning.resolve()) == "--synthetic":
        raise ConfigError(
            f"--tuning {tuning} is --synthetic too: every image would be a copy of itself; name "
            "the real images that the generator was tuned on, or leave --tuning out"
        )


class _SeveralSets(click.Command):
    """Takes all words behind ``--synthetic`` that are neither flags nor overrides, as a shell's
    glob leaves them there.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        for word in args:
            goes_on = len(words) > 1 and words[-2] == "--synthetic" and "=" not in word
            words += ["--synthetic", word] if goes_on and not word.startswith("-") else [word]
        return super().parse_args(ctx, words)


@click.command(cls=_SeveralSets)
@takes_overrides
@click.option(
    "--synthetic",
    type=PATH,
    required=True,
    multiple=True,
    metavar="DIR [DIR ...]",
    help="the synthetic set; several are draws of one generator",
)
@click.option(
    "--draws",
    type=click.IntRange(min=1),
    default=1,
    help="disjoint draws that one set is divided into, for claims about its generator",
)
@click.option(
    "--real", type=PATH, metavar="DIR", help="real images of the same labels; or choose a dataset="
)
@click.option(
    "--tuning", type=PATH, metavar="DIR", help="what its generator was tuned on, for the audit"
)
@click.option(
    "--size", type=click.IntRange(8, 4096), default=64, help="height and width of all images"
)
@click.option("--color", type=click.Choice(["grey", "rgb"]), default="grey")
@multirun_flag
def evaluate(
    overrides: tuple[str, ...],
    config_dir: str | None,
    multirun: bool,
    real: Path | None,
    synthetic: tuple[Path, ...],
    draws: int,
    **settings: Any,
) -> int:
    """Score a synthetic set made elsewhere.

    Nothing is tuned and nothing is drawn. DIR holds a folder of images per label; or name a CSV or
    JSONL file beside the images, with the columns file, label, patient and findings, as far as
    they are known.

    One set says nothing of what else its generator draws. Several sets, or --draws, do: each is a
    seed of one method, so that methods can be compared.
    """
    if draws > 1 and len(synthetic) > 1:
        raise ConfigError("--draws divides one set; several --synthetic sets are draws already")
    if real is None and not any(word.startswith("dataset=") for word in overrides):
        raise ConfigError("--real must name a folder of real images, or dataset= a dataset")
    _require_different(real, synthetic, settings["tuning"])
    log_to_terminal()
    words = evaluation_overrides(
        real,
        synthetic[0],
        overrides=overrides,
        config_dir=config_dir,
        further=synthetic[1:],
        draws=draws,
        **settings,
    )
    return run_overrides(words, multirun or draws > 1 or len(synthetic) > 1, config_dir)
