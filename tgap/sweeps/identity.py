"""What a run, a sweep and a method are called, and by what they are told apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tgap.analysis.rows import PlannedRun, RunRow
from tgap.composition.config import Run
from tgap.core.digest import digest_of
from tgap.metrics.legs import SIDE_SHARES, by_leg
from tgap.pipeline.plan import Plan
from tgap.pipeline.result import Result
from tgap.protocols.base import Protocol

METHOD_GROUPS = ("selector", "finetuner", "drawing")
SETTING_GROUPS = ("protocol", "prompts", "classifier")
TITLES = (*METHOD_GROUPS, "generator", "dataset", *SETTING_GROUPS)
OF_TUNING = ("size", "selector")
"""Parameters that mean nothing where nothing is tuned."""
NODES = ("sampler", "prior_sampler", "budget", "storage")
"""Settings of a run that are no components."""


@dataclass(frozen=True)
class Planned:
    """A run of a command line: what it will make, and what a table knows of it beforehand."""

    plan: Plan
    row: PlannedRun
    words: Sequence[str]

    @property
    def run(self) -> Run:
        """The run."""
        return self.plan.run

    @property
    def name(self) -> str:
        """As people read it, e.g. ``random+dreambooth size=500 seed=0``."""
        size = {} if self.row.size is None else {"size": self.row.size}
        words = {**size, "seed": self.run.seed, **self.row.split}
        return " ".join([self.row.method, *(f"{key}={value}" for key, value in words.items())])

    @property
    def key(self) -> str:
        """Identifies its record: its result, under the size and seed that it was asked for.

        Where nothing is tuned, size and selector do not count: a sweep has one such run a seed.
        """
        run = self.run
        selector = run.selector.title() if run.selects else None
        words = [selector, run.method, run.tuning_size, run.seed]
        tracking = [run.tracking.experiment, run.tracking.pictures]
        return digest_of([self.plan.result_key, *tracking, *words])


def planned(plan: Plan, overrides: Sequence[str]) -> Planned:
    """A run as the words of its command line name it.

    Args:
        plan: Of the run.
        overrides: The words, one value each.
    """
    run = plan.run
    method = {group: getattr(run, group).identity() for group in METHOD_GROUPS}
    if not run.selects:
        del method["selector"]
    if run.drawing.as_asked:  # as methods were called before there was a choice
        del method["drawing"]
    if not run.generator.tunable:
        method["generator"] = run.generator.identity()
    row = PlannedRun(
        method=method_label(run, overrides),
        method_key=digest_of(method),
        size=run.tuning_size,
        seed=run.seed,
        settings=settings_of(plan),
        is_control=run.is_control,
        split=split_of(run, run.protocol),
        splits=[split_of(run, other) for other in run.protocol.averaged()],
        synthetic=plan.synthetic.key,
    )
    return Planned(plan, row, tuple(overrides))


def sweep_key_of(jobs: Sequence[Planned]) -> str:
    """A sweep is its runs, in any order."""
    return digest_of(sorted(job.key for job in jobs))


def method_label(run: Run, overrides: Sequence[str]) -> str:
    """The method's short name, with the settings of it that the command line changed.

    A preset is a group's choice (``selector=clip_spectral``) and has a name; what is changed
    inside it (``selector.cluster.n_clusters=20``) has not, so it is told.
    """
    changed = []
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        groups = (*METHOD_GROUPS, "generator") if run.is_control else METHOD_GROUPS
        inside = any(key.startswith((f"{group}.", f"{group}/")) for group in groups)
        of_selector = key.startswith("selector")
        if key == "selector" and run.is_control:  # its name alone does not say what it draws from
            changed.append(override)
        if key == "finetuner/oracle" and value in run.method.split("+"):
            continue
        if inside and not key.endswith(".name") and (run.selects or not of_selector):
            changed.append(f"{key.replace('/', '.').rpartition('.')[2]}={value}")
    return run.method + (f" ({', '.join(sorted(changed))})" if changed else "")


def params_of(job: Planned) -> dict[str, object]:
    """Flat MLflow parameters, the ones that people group and filter by.

    A run without a tuning set has none of ``OF_TUNING``: MLflow shows a dash.
    """
    run = job.run
    params: dict[str, object] = {"method": job.row.method, "seed": run.seed}
    if job.row.size is not None:
        params["size"] = run.size
    params |= {group: getattr(run, group).title() for group in TITLES}
    if job.row.size is None:
        del params["selector"]
    for name, evaluator in run.evaluators.items():
        params |= _flat(f"evaluators.{name}", evaluator.identity() | {"class": evaluator.title()})
    return params | dict(job.row.settings) | dict(job.row.split)


def split_of(run: Run, protocol: Protocol) -> dict[str, str]:
    """What tells a protocol from the others that a run's is averaged with, flat, as text."""
    every = [_flat("protocol", other.identity()) for other in run.protocol.averaged()]
    own = _flat("protocol", protocol.identity())
    return {name: own[name] for name in own if len({other[name] for other in every}) > 1}


def settings_of(plan: Plan) -> dict[str, str]:
    """All that is no method, size, seed or split, flat, as text: rows of a table agree in it."""
    run = plan.run
    # In this order: of settings that vary together a table names the first. The plan has listed
    # the dataset's files already, which may take a second.
    identities = {"dataset": plan.dataset.identity["dataset"]}
    if run.generator.tunable:  # a control is a method, not a setting that methods share
        identities = {"generator": plan.base["class"]} | identities
    identities |= {group: getattr(run, group).identity() for group in SETTING_GROUPS}
    settings: dict[str, str] = {}
    for group, identity in identities.items():
        settings |= _flat(group, identity | {"class": getattr(run, group).title()})
    settings["dataset.domain"] = run.dataset.domain
    if run.generator.tunable:
        settings["generator.digest"] = plan.base["digest"][:16]
    for node in NODES:
        settings |= _flat(node, getattr(run, node).identity())
    settings |= _flat("seeds", {k: v for k, v in run.seeds.identity().items() if v is not None})
    settings |= {f"external.{name}": other.title() for name, other in run.external.items()}
    if run.tuning_devices > 1:
        settings["devices"] = str(run.tuning_devices)
    settings |= {"size_unit": run.unit} | _flat("", run.splitting.identity())
    own = split_of(run, run.protocol)
    return {name: value for name, value in settings.items() if name not in own}


def _flat(prefix: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        parts = [_flat(f"{prefix}.{key}" if prefix else key, part) for key, part in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    return {prefix: str(value)}


def row_of(result: Result, job: Planned) -> RunRow:
    """A finished run's row for the table."""
    replicates, metrics = result.resampled(), {**dataset_metrics(result), **result.metrics}
    return RunRow(
        **vars(job.row),
        evaluation_key=result.plan.scores.key,
        metrics=metrics,
        resampled={} if replicates is None else by_leg(replicates, metrics),
    )


def dataset_metrics(result: Result) -> dict[str, float]:
    """How many images each side has, of how many, and how many files were left out."""
    data, split = result.dataset(), result.split()
    counts = {side: len(getattr(split, side)) for side in SIDE_SHARES}
    sources = result.run.protocol.sources(data)
    shares = {SIDE_SHARES[side]: counts[side] / number for side, number in sources.items()}
    names = data.notes.get("excluded", {})
    # Where very many are left out, not all names are kept, but their number is.
    excluded = data.notes.get("excluded_counts", {why: len(those) for why, those in names.items()})
    counts |= {"all": len(data), "excluded": sum(excluded.values())}
    return {f"images/{name}": float(count) for name, count in counts.items()} | shares
