"""How near synthetic images are to real ones as distributions, and how diverse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tgap.core import Bools, Floats, ImageSet, option
from tgap.core.digest import image_digests
from tgap.embedders.base import Embedder
from tgap.evaluators.base import Evaluation, Evidence
from tgap.evaluators.parts.groups import ByGroups
from tgap.evaluators.parts.matching import common_count, draw, embedded
from tgap.evaluators.parts.pairs import sheet
from tgap.evaluators.parts.within import Side, parts_of, within
from tgap.metrics.distances import frechet, kid, vendi
from tgap.metrics.modes import LeftOut, clusters, left_out, typical
from tgap.metrics.naming import metric_names
from tgap.metrics.neighbours import clipped, prdc
from tgap.metrics.pictures import pictures

SHOWN = 12
"""Rows and columns of the picture."""


@dataclass(kw_only=True)
class Fidelity(ByGroups):
    """Distances, precision, recall, density, coverage and Vendi scores of an embedder's vectors.

    Synthetic, real_train and real_test images are compared at the same number of images per label,
    the most that all three have of each, so that another mix of labels is not taken for
    infidelity. The reference is what the metric says of real_train in place of the synthetic
    images: real against real, by patients apart.

    - ``fidelity/n``: images on each side; 0 if a label is missing in a set, all else is NaN then
    - ``fidelity/frechet``, ``fidelity/kid``, ``fidelity/precision``, ``fidelity/recall``,
      ``fidelity/density``, ``fidelity/coverage``, ``fidelity/clipped_density``,
      ``fidelity/clipped_coverage``: synthetic against real_test, see ``tgap.metrics``; each has a
      ``_floor``
    - ``diversity/vendi_{label}``: Vendi score of the synthetic images of a label,
      ``diversity/vendi``: its mean over labels, ``diversity/vendi_real``: the same mean of
      real_test
    - ``diversity/images_{label}``: the synthetic images of a label, of both parts,
      ``diversity/different_{label}``: how many of them are different pictures,
      ``diversity/blank_{label}``: how many are of one colour
    - ``diversity/images``, ``diversity/different``: the same of all labels together;
      ``diversity/tested_repeats``: test images that equal an image of the train part, so that TSTS
      tests what was trained on

    Within each label, each finding that prompts named and each group of ``columns`` that was asked
    for (``prompts=attributes``), at equal numbers of images, 30 at least: a generator can match the
    whole and swap its parts.

    - ``fidelity/within/{label,finding,column}/{name}/kid``, ``.../coverage``, ``.../kid_floor``,
      ``.../coverage_floor``, each with ``/lo`` and ``/hi`` (95 %, for other images of the same
      model and other real patients, see ``tgap.metrics.jackknife``). The table ``parts`` begins
      with the one of the least coverage beside that of real images

    What of reality is left out (``tgap.metrics.modes``), by the findings and clusters of real_test:

    - ``fidelity/missing``: share of its images that are of a kind which synthetic images leave
      out, NaN where all of these lie aside; ``fidelity/missing_{label}``,
      ``fidelity/missing_finding_{finding}``: the same of the images that have these. The picture
      ``missing`` shows such a kind in each row, the table ``missing`` how many images it has

    The train part of the synthetic set comes first, since that is what a classifier learns from;
    its test part fills up what is lacking. With no more than ``k`` images, what needs neighbours
    is NaN. Numbers of different embedders or of different n do not compare.

    Args:
        embedder: Makes the vectors; one that takes a classifier gets the real one.
        k: Which nearest neighbour a ball reaches to.
        columns: Of groups, as far as the dataset has them.
        bands: Ascending borders of a column of numbers, of which each belongs to the band above;
            others are cut at their quartiles.
    """

    shown: ClassVar[Sequence[str]] = (
        "fidelity/frechet",
        "fidelity/kid",
        "fidelity/precision",
        "fidelity/recall",
        "fidelity/density",
        "fidelity/coverage",
        "diversity/vendi",
    )

    version: ClassVar[int] = 4

    embedder: Embedder = field(metadata={"help": "makes the vectors", "choice": "clip"})
    k: int = option(5, "which nearest neighbour a ball reaches to", low=1, high=1_000_000)

    def _evaluate(self, evidence: Evidence, rng: np.random.Generator) -> Evaluation:
        synthetic = evidence.synthetic()
        count = common_count(
            np.concatenate([part.labels for part in synthetic]),
            evidence.real_train(pixels=False).labels,
            evidence.real_test(pixels=False).labels,
        )

        # One set's pixels at a time: real ones may fill the memory.
        streams = rng.spawn(5)
        drawn, fresh = self._drawn(evidence, synthetic, count, streams[0])
        others, fresh_others = self._drawn(evidence, [evidence.real_train()], count, streams[1])
        real, fresh_real = self._drawn(evidence, [evidence.real_test()], count, streams[2], True)
        missing = self._missing(real, others.vectors, drawn.vectors, streams[3])
        sides = real.where(fresh_real), others.where(fresh_others), drawn.where(fresh)
        parts = list(parts_of(*sides, self.columns, self.bands))
        of_parts, table = within(parts, *sides, self.k, streams[4])
        return Evaluation(
            {"fidelity/n": float(len(real.vectors))}
            | self._distances(real.vectors, drawn.vectors, "")
            | self._distances(real.vectors, others.vectors, "_floor")
            | of_parts
            | _diversity(real.vectors, drawn.vectors, synthetic[0].label_names)
            | dict(missing.metrics)
            | _pictures(synthetic),
            tables={**missing.tables, **({"parts": table} if table else {})},
            pictures=missing.pictures,
        )

    def _drawn(
        self,
        evidence: Evidence,
        parts: Sequence[ImageSet],
        count: int,
        rng: np.random.Generator,
        pixels: bool = False,
    ) -> tuple[Side, Bools]:
        """A set's vectors, and which of its images come for the first time."""
        chosen, fresh = draw(parts, count, rng)
        vectors = np.empty((0, 1), np.float32)
        if count:
            vectors = embedded(self.embedder, evidence, chosen.images)
        return Side(chosen if pixels else chosen.without_images(), vectors), fresh

    def _missing(
        self, real: Side, floor: Floats, fake: Floats, rng: np.random.Generator
    ) -> Evaluation:
        kinds = _Kinds.of(real.images, real.vectors, rng)
        found = left_out(real.vectors, floor, fake, kinds.of_images, self.k)
        if found is None:
            return Evaluation({"fidelity/missing": float("nan")})
        return _left_out(real.images, real.vectors, kinds, found)

    def _distances(self, real: Floats, other: Floats, suffix: str) -> dict[str, float]:
        values = {"frechet": frechet(real, other), "kid": kid(real, other)}
        values |= prdc(real, other, self.k)._asdict() | clipped(real, other, self.k)._asdict()
        return {f"fidelity/{name}{suffix}": value for name, value in values.items()}


def _diversity(real: Floats, fake: Floats, label_names: Sequence[str]) -> dict[str, float]:
    """Of vectors of as many images of each label, labels one after another."""
    of_real, of_fake = (
        [vendi(of_label) for of_label in np.split(vectors, len(label_names))]
        for vectors in (real, fake)
    )
    scores = {
        "diversity/vendi": float(np.mean(of_fake)),
        "diversity/vendi_real": float(np.mean(of_real)),
    }
    # "real" is taken, by vendi_real
    for name, score in zip(metric_names(["real", *label_names])[1:], of_fake, strict=True):
        scores[f"diversity/vendi_{name}"] = score
    return scores


@dataclass(frozen=True)
class _Kinds:
    """Clusters and known findings of the real images, ``(N, G)``."""

    of_images: Bools
    names: list[str]

    @classmethod
    def of(cls, real: ImageSet, vectors: Floats, rng: np.random.Generator) -> "_Kinds":
        of_clusters, names = clusters(vectors, rng), _finding_names(real)
        findings = real.findings[:, : len(names)]
        numbered = [f"cluster {number}" for number in range(of_clusters.shape[1])]
        return cls(np.hstack([findings, of_clusters]), [*names, *numbered])


def _finding_names(real: ImageSet) -> list[str]:
    """None where they are the labels."""
    known = real.finding_names if real.finding_names != real.label_names else ()
    return [f"finding_{name}" for name in metric_names(known)]


def _left_out(real: ImageSet, vectors: Floats, kinds: _Kinds, found: LeftOut) -> Evaluation:
    """Shares of real images that are of a kind which is left out, and what these look like."""
    out = np.asarray(kinds.of_images[:, found.missing].any(axis=1))
    names = [*metric_names(real.label_names), *_finding_names(real)]
    columns = np.hstack([real.labels, real.findings])[:, : len(names)]
    shares = {"fidelity/missing": float(out.mean())}
    for name, has in zip(names, columns.T, strict=True):
        shares[f"fidelity/missing_{name}"] = float(out[has].mean()) if has.any() else np.nan
    missing = np.flatnonzero(found.missing).tolist()
    rows = [
        {
            "kind": kinds.names[kind],
            "real_test": int(kinds.of_images[:, kind].sum()),
            "real_train": int(found.expected[kind]),
            "synthetic": int(found.found[kind]),
        }
        for kind in missing
    ]
    shown = [typical(vectors, kinds.of_images[:, kind])[:SHOWN] for kind in missing[:SHOWN]]
    pictures = {"missing": sheet([real.images[row] for row in shown])} if shown else {}
    return Evaluation(shares, tables={"missing": rows}, pictures=pictures)


def _pictures(parts: Sequence[ImageSet]) -> dict[str, float]:
    """Of the whole synthetic set: what is wrong with a generator that draws one picture."""
    images, labels = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels")
    )
    names = metric_names(parts[0].label_names)
    trained, tested = (image_digests(part.images) for part in parts)
    known = set(trained)
    repeats = {
        "images": len(images),
        "different": len(known | set(tested)),
        "tested_repeats": sum(digest in known for digest in tested),
    }
    return {f"diversity/{what}": float(count) for what, count in repeats.items()} | {
        f"diversity/{what}_{name}": float(count)
        for name, counts in zip(names, pictures(images, labels), strict=True)
        for what, count in counts._asdict().items()
    }
