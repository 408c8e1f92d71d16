"""What is told before the first run: how many runs of what, how long, how much."""

import json
import shutil
from pathlib import Path

import pytest

import tgap
from tests.pipeline.conftest import CUT
from tgap.cli.main import command, run_command
from tgap.cli.plan import _workers
from tgap.core import ConfigError, TgapError
from tgap.pipeline.plan import plan
from tgap.pipeline.preflight import operations
from tgap.store import Spec
from tgap.store.remote import VARIABLE, remote
from tgap.sweeps.finding import result_of
from tgap.sweeps.forecast import Forecast, Making, Work, forecast, works
from tgap.sweeps.planning import sweep_plan
from tgap.sweeps.rates import COUNTED, MEASURED, PACKAGED, REFERENCE, Rates, Time, measured_rates
from tgap.sweeps.records import COSTS, records
from tgap.sweeps.varying import what_varies

WORDS = [*CUT, "pool_size=200", "train_size=100", "test_size=100"]


@pytest.mark.parametrize(
    ("jobs", "words"),
    [
        ([["size=1"]], "1 run"),
        (
            [
                [f"selector={a}", f"size={b}", f"seed={c}"]
                for a in "xy"
                for b in (1, 2)
                for c in (0, 1, 2)
            ],
            "12 runs = 2 selectors x 2 sizes x 3 seeds",
        ),
        (
            [["finetuner=none"], ["finetuner=x", "size=1"], ["finetuner=x", "size=2"]],
            "3 runs of 2 finetuners, 2 sizes",
        ),
        ([[f"sampler.guidance={g}"] for g in (1, 3)], "2 runs = 2 of sampler.guidance"),
        ([["prompts=a"], ["prompts=b"]], "2 runs = 2 prompts"),
    ],
)
def test_what_varies(jobs: list[list[str]], words: str) -> None:
    assert what_varies(jobs) == words


def making(kind: str, seconds: float | None, source: str = MEASURED) -> Making:
    time = None if seconds is None else Time(seconds, source)
    return Making(Work(kind, 1, Spec("generator", {"is": kind})), time)


def told(*runs: list[Making], size: float = 3e8, checkpoint: float = 0.0) -> str:
    return Forecast(runs, sizes={"a": size} if any(runs) else {}, checkpoint=checkpoint).in_words()


def test_a_forecast_in_words() -> None:
    a, b, c = (making(f"generator {n}", s) for n, s in (("a", 60), ("b", 240), ("c", 240)))
    assert told([a], [a], [b], [c]) == "about 9 minutes, 0.3 GB"
    assert told([], [a], [b, a], [c]) == "1 in the store; about 9 minutes, 0.3 GB"
    assert told([], []) == "all in the store"
    assert told([]) == "in the store"
    elsewhere = making("generator d", 540, PACKAGED)
    assert told([elsewhere]) == "about 9 minutes (rates of another machine), 0.3 GB"
    counted = making("generator e", 540, COUNTED)
    assert "(rates of another machine, counted operations)" in told([counted], [elsewhere])
    assert told([counted]) == "about 9 minutes (counted operations), 0.3 GB"
    assert told([b], [c, a], checkpoint=1.03e10) == (
        "about 9 minutes, 0.3 GB, and checkpoints of 10 GB while a model is tuned"
    )
    unknown = [making(f"generator {name}", None) for name in "vwxy"]
    assert told([unknown[0], making("selection z", None)]) == (
        "what was not measured yet (generator v), 0.3 GB"
    )
    assert (
        "about 60 s and what was not measured yet (generator v, generator w, generator x, ...)"
    ) in told([a], unknown)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("ran")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder, tgap.run(*WORDS)


def planned(*words: str) -> list:
    return [plan(tgap.compose(*WORDS, *words))]


def test_what_is_there_takes_nothing(ran) -> None:
    expected = forecast(planned(), ran[0] / ".tgap")
    assert expected.stored == [True]
    assert expected.seconds == [0]
    assert expected.size == 0


def test_as_much_work_takes_as_long_and_shared_work_is_done_once(ran) -> None:
    folder, result = ran
    made = result.artifacts
    twice = forecast(planned("budget.steps=4"), folder / ".tgap")
    both = made.synthetic_classifier.seconds + made.real_classifier.seconds
    rest = made.synthetic.seconds + both / 2
    rest += sum(one.seconds for one in made.evaluations.values()) + made.scores.seconds
    assert twice.seconds == [pytest.approx(2 * made.generator.seconds + rest, rel=0.01)]
    assert twice.sources == {MEASURED}
    assert twice.unknown == []
    both = [*planned("budget.steps=4"), *planned("budget.steps=4", "classifier.epochs=2")]
    first, second = forecast(both, folder / ".tgap").seconds
    assert first == twice.seconds[0]
    assert second < first


def test_before_the_first_run_rates_are_anothers_or_not_known(ran, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir(parents=True)
    for stage in ("dataset", "split"):
        (tmp_path / "store" / stage).symlink_to(ran[0] / ".tgap" / "store" / stage)
    expected = forecast(planned(), tmp_path)
    assert expected.sources == {PACKAGED}
    assert expected.seconds[0] > 0
    assert expected.unknown == []
    expected = forecast(planned("selector=clip_kmeans"), tmp_path)
    assert expected.unknown == ["embedding clip digits"]


def test_packaged_rates_are_of_kinds_that_there_are() -> None:
    kinds = {work.kind for run in planned() for work in works(run, 2)}
    for name in REFERENCE:
        assert any(kind.startswith(name) for kind in kinds), name


def test_all_that_a_run_makes_but_the_split_and_pictures_is_work(ran) -> None:
    plan = ran[1].plan
    keys = {work.spec.key for work in works(plan, 2)}
    all_specs = {v.key for v in vars(plan).values() if isinstance(v, Spec)}
    all_specs |= {spec.key for spec in plan.evaluations.values()}
    assert all_specs - keys == {plan.split.key, plan.pictures.key}


def drawn_amount(*words: str) -> float:
    (work,) = [w for run in planned(*words) for w in works(run, 2) if w.spec is run.synthetic]
    return work.amount


def test_drawing_is_counted_in_passes_of_all_that_is_drawn() -> None:
    steps = "sampler.steps=10"
    plain = drawn_amount(steps, "sampler.guidance=3")
    assert drawn_amount(steps, "sampler.guidance=1") == plain / 2
    assert drawn_amount(steps, "drawing=best_of", "drawing.candidates=32") == 32 * plain
    assert drawn_amount(steps, "drawing=variation", "drawing.strength=.5") == plain / 2
    assert drawn_amount(steps, "drawing=rejection") == plain  # at least
    ddpm = ("drawing=value_based", "sampler.scheduler=ddpm", "sampler.steps=10")
    chosen = drawn_amount(*ddpm, "drawing.candidates=3")
    assert chosen > 2 * drawn_amount(*ddpm, "drawing.candidates=1")
    (run,) = planned(steps)
    assert [w.amount / 2 for w in works(run, 4) if w.spec is run.synthetic] == [plain]


def test_a_guide_is_as_much_work_as_its_steps(monkeypatch) -> None:
    words = ("sampler.guide=early", "sampler.early=.5", "budget.steps=4")
    (run,) = planned(*words)
    amounts = {work.spec.key: work for work in works(run, 2)}
    own, guide = amounts[run.generator.key], amounts[run.guide.key]
    assert (own.amount, guide.amount) == (4 * run.run.budget.batch_size, own.amount / 2)
    assert guide.run.budget.steps == 2
    monkeypatch.setattr(operations, "_denoiser", lambda run: (859_520_964, 512 * 512))
    h200 = operations.SPEEDS["h200"]
    seconds = [operations.seconds_of(r, "generator", h200, 100, 2) for r in (run.run, guide.run)]
    assert seconds[1] == seconds[0] / 2


def test_amounts_of_earlier_versions_are_not_compared_with(ran) -> None:
    home = ran[0] / ".tgap"
    (record,) = records(home)
    file = record.journal.folder / "files" / COSTS
    content = file.read_text()
    before = measured_rates(home)
    file.write_text(json.dumps([c | {"unit": 1} for c in json.loads(content)]))
    try:
        gone = before.keys() - measured_rates(home).keys()
        assert {kind.split()[0] for kind in gone} == {"synthetic", "prior", "classifier"}
    finally:
        file.write_text(content)


def test_a_damaged_or_missing_note_of_costs_counts_nothing(ran) -> None:
    home = ran[0] / ".tgap"
    (record,) = records(home)
    file = record.journal.folder / "files" / COSTS
    content = file.read_text()
    assert {cost["kind"] for cost in json.loads(content)} == set(measured_rates(home))
    file.unlink()
    try:
        assert measured_rates(home) == {}
    finally:
        file.write_text(content)


@pytest.mark.parametrize(("device", "part"), [("cuda", 1 / 4), ("cpu", 1)])
def test_what_gpus_share_takes_a_part_of_the_time(ran, device: str, part: float) -> None:
    """Processes on the CPU are no faster."""
    words = ["budget.steps=4", f"generator.device={device}", "budget.batch_size=4"]
    alone = forecast(planned(*words), ran[0] / ".tgap")
    shared = forecast(planned(*words, "devices=4"), ran[0] / ".tgap")
    for one, other in zip(alone.missing[0], shared.missing[0], strict=True):
        divided = one.work.kind.startswith(("generator", "synthetic", "prior"))
        assert other.work.kind == one.work.kind + (", devices=4" if divided else "")
        assert other.seconds == pytest.approx(one.seconds * (part if divided else 1))
        assert other.time.source == MEASURED
    assert alone.size == pytest.approx(shared.size)


def test_what_was_measured_with_as_many_devices_counts_as_it_is(ran, monkeypatch) -> None:
    (plan,) = planned("generator.device=cuda", "budget.batch_size=4", "devices=4")
    rates, kind = Rates(ran[0] / ".tgap"), "generator tiny_ldm dreambooth, devices=4"
    monkeypatch.setattr(Rates, "_measured", {kind: 3.0, kind.partition(",")[0]: 8.0})
    assert rates.time(plan, kind, 10) == Time(30.0, MEASURED)
    monkeypatch.setattr(Rates, "_measured", {kind.partition(",")[0]: 8.0})
    assert rates.time(plan, kind, 10) == Time(20.0, MEASURED)


def test_gpus_have_room_for_as_many_runs_as_their_devices_let() -> None:
    assert [_workers(3, None, 4), _workers(None, 9, 4), _workers(None, None, 4)] == [3, 2, None]
    with pytest.raises(ConfigError, match="--gpus must be at least devices=4, which a run takes"):
        _workers(None, 3, 4)
    with pytest.raises(ConfigError, match="--workers and --gpus both say how many"):
        _workers(1, 1, 1)


def test_what_the_second_level_has_is_fetched_and_not_made(ran, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ran[0])  # where the demo's words were composed
    home = tmp_path / "home"
    for stage in ("dataset", "split"):
        shutil.copytree(ran[0] / ".tgap" / "store" / stage, home / "store" / stage)
    before = forecast(planned(), home)
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/shared")
    level, made = remote(), {one.key: one for one in ran[1].artifacts}
    assert level is not None
    for artifact in made.values():
        level.send(artifact.folder, artifact.manifest)
    there = forecast(planned(), home)
    assert (before.stored, there.stored) == ([False], [True])
    assert sum(there.fetched.values()) == len(before.making)
    assert there.in_words().startswith(f"nothing to make; {len(before.making)} artifacts fetched ")
    assert there.size == before.size
    assert there.checkpoint == 0
    rows = {row.stage: row for row in sweep_plan(there, 1).rows}
    row = rows["generator"]
    assert (row.make, row.fetched, row.stored) == (0, 1, 0)
    new = forecast(planned("budget.steps=4"), home)
    assert new.making[0].work.stage == "finetune"
    assert new.fetched["selection"] == 1
    # and `tgap export` and such find it
    found = result_of(home, WORDS)
    assert found.metrics == ran[1].metrics
    assert found.artifacts.synthetic.folder.is_relative_to(home)


def test_a_dry_run_tells_and_makes_nothing(ran, monkeypatch, caplog) -> None:
    monkeypatch.chdir(ran[0])
    caplog.set_level("INFO", logger="tgap")
    before = sorted(ran[0].rglob("*"))
    words = [word for word in WORDS if word != "size=4"]
    assert run_command([*words, "size=4,6", "seed=0,1", "-m", "--dry-run"]) == 0
    assert "4 runs = 2 sizes x 2 seeds: 1 in the store; about " in caplog.text
    lines = " ".join(caplog.messages)
    assert "to make, in runs: select 3 of 4, finetune 3 of 4, generate 3 of 4," in lines
    assert "in the store: prepare 4 of 4, select 1 of 4, finetune 1 of 4," in lines
    stages = [line for line in caplog.messages if " of 4" in line]
    assert len(stages) >= 2
    assert all(len(line) <= 66 for line in stages)
    assert sorted(ran[0].rglob("*")) == before


def test_a_plan_is_a_table_of_what_is_made_and_reused(ran, monkeypatch, capsys) -> None:
    monkeypatch.chdir(ran[0])
    before = sorted(ran[0].rglob("*"))
    words = [word for word in WORDS if word != "size=4"]
    sweep = [*words, "size=4,6", "seed=0,1", "-m"]
    assert command(["plan", *sweep, "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 runs = 2 sizes x 2 seeds: 1 in the store; about ")
    assert all(len(line) <= 80 for line in lines[2:])
    rows = {line.split()[0]: line.split() for line in lines[3:] if line and line[0] != " "}
    # Of seed 0 the selection of 6 is new, and of seed 1 both are; each seed has a real classifier.
    assert rows["selection"][1:4] == ["3", "-", "1"]
    assert rows["prior"][1:4] == ["-", "-", "4"]
    assert rows["classifier"][1:4] == ["4", "1", "3"]
    assert rows["generator"][-2:] == ["measured", "here"]
    assert "2 runs at a time: " in "\n".join(lines)
    assert sorted(ran[0].rglob("*")) == before
    # The packaged generator is too small to be counted: this machine's times are told as such.
    assert command(["plan", *sweep, "--gpus", "3", "--json", "--on", "h200"]) == 0
    told = json.loads(capsys.readouterr().out)
    sources = {source for row in told["artifacts"] for source in row["sources"]}
    assert sources == {"measured here"}
    assert (told["runs"], told["stored_runs"], told["workers"]) == (4, 1, 3)
    assert told["unknown"] == []
    assert told["seconds"] == pytest.approx(sum(row["seconds"] for row in told["artifacts"]))
    assert told["bytes"] == pytest.approx(sum(row["size"] or 0 for row in told["artifacts"]))
    assert told["seconds"] / 3 <= told["wall_seconds"] <= told["seconds"]
    idle = 1 - told["seconds"] / 3 / told["wall_seconds"]
    assert told["idle_share"] == pytest.approx(idle)


def test_nothing_is_counted_for_an_unknown_machine(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--on: nothing is published of 'h20'; did you mean 'h2"):
        Rates(tmp_path, "h20")


def test_operations_of_large_networks_are_counted(monkeypatch) -> None:
    monkeypatch.setattr(operations, "_denoiser", lambda run: (859_520_964, 512 * 512))
    words = ["profile=xray", "dataset=digits", "prompts=template"]
    run = tgap.compose(*words, "selector=clip_spectral")
    h200 = operations.SPEEDS["h200"]

    def seconds(kind: str) -> float | None:
        return operations.seconds_of(run, kind, h200, 112_120, 2)

    # 24,000 images, each 50 passes of 803.3 GFLOP and a decoding of 2,514.5.
    drawn = 24_000 * (50 * 803.3e9 + 2514.5e9) / 286e12
    assert seconds("synthetic") == pytest.approx(drawn)
    assert seconds("prior") == pytest.approx(drawn * 200 / 24_000)
    # 1,000 steps of 16 tuning and 4 prior images, 2,406.8 GFLOP each.
    assert seconds("generator") == pytest.approx(1000 * 20 * 2406.8e9 / 309e12)
    assert seconds("embedding") == pytest.approx(112_120 * 8.8e9 / h200.seeing)
    epochs = run.classifier.epochs
    assert seconds("classifier") == pytest.approx(epochs * 20_000 * 16.8e9 / h200.seeing)
    assert seconds("evaluation") is None
    best = tgap.compose(*words, "drawing=best_of", "drawing.candidates=3")
    assert operations.seconds_of(best, "synthetic", h200, 112_120, 2) == pytest.approx(3 * drawn)
    some = tgap.compose(*words, "drawing=rejection")
    assert operations.seconds_of(some, "synthetic", h200, 112_120, 2) is None
    lora = tgap.compose(*words, "finetuner=dreambooth_lora")
    adapted = operations.seconds_of(lora, "generator", h200, 112_120, 2)
    assert adapted == pytest.approx(1000 * 20 * 1714e9 / 309e12)
    monkeypatch.setattr(operations, "_denoiser", lambda run: (10**6, 32 * 32))
    assert seconds("synthetic") is None


def test_verbose_tells_of_artifacts_and_the_log_file_always_does(ran, monkeypatch, capsys) -> None:
    monkeypatch.chdir(ran[0])
    words = [*WORDS, "evaluators.baselines.shuffled=true"]
    assert run_command([*words, "seed=1"]) == 0
    quiet = capsys.readouterr().err
    assert "making" not in quiet
    assert "dreambooth (prior_count=40) size=4 seed=1" in quiet
    assert "; from the store: prepare" in quiet
    (log,) = (ran[0] / "outputs").rglob("tgap.log")
    assert "making generator" in log.read_text()
    assert run_command([*words, "seed=2", "-v"]) == 0
    assert "making generator" in capsys.readouterr().err


def test_a_sweep_in_python_is_a_table(ran, monkeypatch) -> None:
    monkeypatch.chdir(ran[0])
    table = tgap.sweep(*WORDS, "seed=0,3")
    assert list(table["seeds"]) == [2]
    assert list(table["size"]) == [4]
    everything = tgap.compare("size=4")
    assert len(everything) >= 1
    assert {"method", "size", "tstr/auroc", "tstr/auroc/lo", "fter"} <= set(everything.columns)
    with pytest.raises(ConfigError, match="'size' must be name=value"):
        tgap.compare("size")

    def fail(*args: object) -> None:
        raise TgapError("no light")

    monkeypatch.setattr("tgap.sweeps.task._ended", fail)
    with pytest.raises(TgapError, match="run 1 of 1: no light"):
        tgap.sweep(*WORDS)


def test_a_result_describes_itself_in_a_few_lines(ran) -> None:
    text = repr(ran[1])
    assert len(text.splitlines()) <= 10
    assert text.startswith("Result of random+dreambooth, size 4 per label, seed 0\n")
    assert f"TSTR {ran[1].metrics['tstr/auroc']:.3f}" in text
    assert len(text) < 1000


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert tgap.__version__ == version("tgap")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = tgap.nothing
