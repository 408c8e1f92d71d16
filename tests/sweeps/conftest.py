"""A run that misbehaves."""

import pytest

SHORT = (
    "selector=misbehaving generator=noise size=4 pool_size=200 train_size=60 test_size=60 "
    "budget.train_per_label=8 budget.test_per_label=6 classifier=logistic_regression "
    "tracking.pictures=false tracking.report=false evaluators.two_way.resamples=100 "
    "~evaluators.baselines ~evaluators.fidelity ~evaluators.memorization ~evaluators.occlusion"
).split()


@pytest.fixture(scope="session")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Words of a run whose selector does what ``selector.way`` says."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "selector").mkdir()
    preset = "_target_: tests.sweeps.misbehaving.Misbehaving\nname: ''\nway: fine\n"
    (folder / "selector" / "misbehaving.yaml").write_text(preset)
    return [*SHORT, "--config-dir", str(folder)]
