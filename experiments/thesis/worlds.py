"""Recorded runs by world, and in each the groups that differ in one thing only."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.contrasts import apart
from tgap.analysis.groups import RunGroup, group_runs
from tgap.analysis.rows import RunRow
from tgap.core import ConfigError

WORLDS: Mapping[str, str] = {
    "digits": "digits",
    "phantom_xray": "phantoms",
    "PhantomXray": "phantoms",
    "nih_chestxray14": "X-rays",
    "NihChestXray14": "X-rays",
}
"""Worlds by the dataset that classifiers are tested on: its title, or its class in a textbook."""

STEPS, GUIDANCE, PROTOCOL = "budget.steps", "sampler.guidance", "protocol.class"
CLEAN = "clean"
FURTHER = ("tstr/accuracy", "fidelity/recall", "fidelity/coverage")
"""Averaged beside what every table has."""


def world_of(row: RunRow) -> str:
    """The world that a run is of; a dataset that is none of ours has its own name."""
    name = row.settings.get("dataset.class", "")
    if name == "textbook":
        name = row.settings.get("dataset.real.class", "").rpartition(".")[2]
    return WORLDS.get(name, name)


def by_world(rows: Sequence[RunRow]) -> dict[str, list[RunRow]]:
    """Runs by world, in the order in which these came."""
    found: dict[str, list[RunRow]] = {}
    for row in rows:
        found.setdefault(world_of(row), []).append(row)
    return found


@dataclass(frozen=True)
class World:
    """The runs of one world.

    Args:
        name: Of the world.
        groups: All, controls too.
        tuned_on: Images in the pool by group's position: what is tuned on where all of it is.
    """

    name: str
    groups: tuple[RunGroup, ...]
    tuned_on: tuple[int, ...]

    @property
    def usual(self) -> dict[str, str]:
        """The settings that most groups have, of those that ladders vary."""
        found = {}
        for name in (STEPS, GUIDANCE):
            counts = Counter(group.settings.get(name, "") for group in self._clean)
            found[name] = counts.most_common(1)[0][0] if counts else ""
        return found

    @property
    def _clean(self) -> list[RunGroup]:
        return [group for group in self.groups if self._counts(group)]

    def _counts(self, group: RunGroup) -> bool:
        return not group.is_control and group.settings.get(PROTOCOL) == CLEAN

    def usual_groups(self) -> list[RunGroup]:
        """Methods, no controls, at the usual settings and by the clean protocol."""
        return self._alike(dict(self.usual))

    def ladder(self) -> list[RunGroup]:
        """Random images of one size over tuning steps, ascending; the size with most rungs."""
        usual = {GUIDANCE: self.usual[GUIDANCE]}
        by_size: dict[int, list[RunGroup]] = {}
        for group in self._alike(usual):
            if label(group) == "random+dreambooth" and group.size is not None:
                by_size.setdefault(group.size, []).append(group)
        rungs = max(by_size.values(), key=len, default=[])
        return sorted(rungs, key=lambda group: int(group.settings[STEPS]))

    def of(self, *labels: str) -> dict[int, RunGroup]:
        """The usual groups of a method by size; the first of these labels that there is."""
        for name in labels:
            if found := [group for group in self.usual_groups() if label(group) == name]:
                return {self.size_of(group): group for group in found}
        return {}

    def size_of(self, group: RunGroup) -> int:
        """Tuning images: those asked for, or where all of a pool is tuned on, those in it."""
        return self.tuned_on[self.groups.index(group)] if group.size is None else group.size

    def _alike(self, settings: Mapping[str, str]) -> list[RunGroup]:
        return [
            group
            for group in self._clean
            if all(group.settings.get(name) == value for name, value in settings.items())
        ]


def world(name: str, rows: Sequence[RunRow]) -> World:
    """The groups of a world's runs.

    Raises:
        ConfigError: If a method has two groups at one size that differ in another setting than
            protocol, steps and guidance: neither could be said to be the method's.
    """
    groups = group_runs(rows, (), FURTHER)
    pools = {}
    for row in rows:
        key = (row.method_key, row.size, tuple(sorted(row.settings.items())))
        pools[key] = int(row.metrics.get("images/pool", 0))
    tuned_on = tuple(
        pools.get((g.method_key, g.size, tuple(sorted(g.settings.items()))), 0) for g in groups
    )
    _require_one_each(name, groups)
    return World(name, groups, tuned_on)


def _require_one_each(name: str, groups: Sequence[RunGroup]) -> None:
    there: dict[tuple[object, ...], RunGroup] = {}
    for group in groups:
        varied = [group.settings.get(setting, "") for setting in (PROTOCOL, STEPS, GUIDANCE)]
        other = there.setdefault((label(group), group.size, *varied), group)
        if other is not group:
            differs = apart(group, other) or ["settings of the method"]
            raise ConfigError(
                f"{name}: {label(group)} at {group.size} was run twice, with other "
                f"{', '.join(differs[:4])}; remove the records of one (tgap runs shows all)"
            )


def label(group: RunGroup) -> str:
    """A method's name, without settings changed inside it."""
    return group.method.partition(" ")[0]
