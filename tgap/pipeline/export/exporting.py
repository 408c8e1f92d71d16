"""Puts what a run made into a folder for others: complete, or not there at all."""

from collections.abc import Sequence
from pathlib import Path

from tgap.core import ConfigError, DataError, StoreError, nearest
from tgap.core.files import require_empty, whole_folder
from tgap.pipeline.export.audit import Audit, audit_of
from tgap.pipeline.export.card import Cards
from tgap.pipeline.export.classifier import write_classifiers
from tgap.pipeline.export.generator import tuned_model, write_generator
from tgap.pipeline.export.image_folder import described_set, write_image_folder
from tgap.pipeline.result import Result

PARTS = ("synthetic", "generator", "classifier")


def export(
    result: Result, out: Path, what: Sequence[str] = (), *, with_copies: bool = False
) -> list[Path]:
    """Write the parts of a run, each into a folder of its own with a card.

    Args:
        result: The run.
        out: A folder that is empty or not there yet.
        what: Some of ``PARTS``; empty = the synthetic set, and of the others what the run has.
        with_copies: Go on where images of people, or copies of tuning images, are given away.

    Returns:
        The folders of the parts.

    Raises:
        ConfigError: If a part is not known.
        DataError: If the run has no such part, copies are in it, or the folder cannot be written.
        StoreError: If a part, or what is known of it, was removed from the store.
    """
    parts = parts_wanted(result, what)
    require_empty(out)
    require_evaluated(result)
    audit = audit_of(result)
    _refuse_copies(audit, parts, with_copies)
    if "generator" in parts:
        tuned_model(result)
    with whole_folder(out, "the export") as folder:
        images = described_set(result)
        cards = Cards(result, audit, images, out.name)
        for part in parts:
            (folder / part).mkdir()
        if "synthetic" in parts:
            write_image_folder(images, folder / "synthetic")
            cards.write_synthetic(folder / "synthetic")
        if "generator" in parts:
            cards.write_generator(
                folder / "generator", write_generator(result, folder / "generator")
            )
        if "classifier" in parts:
            made = write_classifiers(result, folder / "classifier")
            cards.write_classifier(folder / "classifier", made)
    return [out / part for part in parts]


def parts_wanted(result: Result, what: Sequence[str]) -> list[str]:
    """The parts that are written, in the order of ``PARTS``.

    Raises:
        ConfigError: If one is not known.
    """
    if unknown := [part for part in what if part not in PARTS]:
        raise ConfigError(
            *(f"there is no part '{part}' to export{nearest(part, PARTS)}" for part in unknown)
        )
    if what:
        return [part for part in PARTS if part in what]
    labelled = len(result.dataset().label_names) > 1
    there = {"generator": result.plan.generator is not None, "classifier": labelled}
    return [part for part in PARTS if there.get(part, True)]


def require_evaluated(result: Result) -> None:
    """See that the run's numbers are there, which its cards have to tell.

    Raises:
        StoreError: If some were removed.
    """
    missing = [name for name in result.plan.evaluations if name not in result.artifacts.evaluations]
    if missing:
        raise StoreError(
            f"the run's evaluations {', '.join(missing)} are not in the store: they were removed, "
            "or the run did not get that far; start the run again: what is there is reused"
        )


def _refuse_copies(audit: Audit, parts: Sequence[str], with_copies: bool) -> None:
    if not audit.warnings or with_copies or {"synthetic", "generator"}.isdisjoint(parts):
        return
    raise DataError(
        "not exported, because real images would be given away: "
        + " ".join(audit.warnings)
        + " --with-copies (in Python with_copies=True) exports all the same, with a warning on "
        "top of each card"
    )
