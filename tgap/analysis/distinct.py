"""Which of a group's runs are results of their own, and which draws they stand for."""

from collections.abc import Mapping, Sequence

from tgap.analysis.rows import RunRow
from tgap.analysis.splits import split_name


def distinct(rows: Sequence[RunRow]) -> list[RunRow]:
    """The different results of a group's runs, which count once each.

    Runs of one seed and split with the same evaluation key are one result, of which the last one
    stays; one that several seeds share is the first seed's.

    Args:
        rows: Finished runs that differ in seed and split only, the later recorded ones last.

    Returns:
        Rows by seed.
    """
    ordered = sorted(rows, key=lambda row: row.seed)
    return [
        row for splits in results_of(ordered).values() for same in splits.values() for row in same
    ]


def results_of(rows: Sequence[RunRow]) -> dict[int, dict[str, list[RunRow]]]:
    """Different results by seed and split; one that several seeds share is the first one's.

    Rows are sorted by seed.
    """
    owners: dict[str, int] = {}
    results: dict[int, dict[str, dict[str, RunRow]]] = {}
    for row in rows:
        seed = owners.setdefault(row.evaluation_key, row.seed)
        same = results.setdefault(seed, {}).setdefault(split_name(row.split), {})
        same[row.evaluation_key] = row
    return {
        seed: {split: list(same.values()) for split, same in of_seed.items()}
        for seed, of_seed in results.items()
    }


def units_of(rows: Sequence[RunRow]) -> dict[int, int]:
    """The first seed that trains on the same synthetic set, by seed; rows sorted by seed."""
    owners: dict[str, int] = {}
    units: dict[int, int] = {}
    for row in rows:
        first = owners.setdefault(row.synthetic or f"of seed {row.seed}", row.seed)
        units[row.seed] = min(units.get(row.seed, row.seed), units.get(first, first))
    return units


def averaged(
    results: Mapping[int, Mapping[str, Sequence[RunRow]]], units: Mapping[int, int]
) -> dict[int, dict[str, list[RunRow]]]:
    """Results by draw: those of all seeds that train on it together."""
    together: dict[int, dict[str, list[RunRow]]] = {}
    for seed, by_split in results.items():
        for split, same in by_split.items():
            together.setdefault(units[seed], {}).setdefault(split, []).extend(same)
    return together
