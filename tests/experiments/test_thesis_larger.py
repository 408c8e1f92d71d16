"""The recorded digits, predicted without their largest size."""

from functools import partial

import pytest

from experiments.thesis import larger
from tgap.analysis import predictions, scaling


def test_what_the_recorded_sizes_can_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(predictions, "predict", partial(scaling.predict, resamples=20))
    larger.main()
    whole, without = capsys.readouterr().out.split("Without the largest size:")
    assert "random+dreambooth 5000 8 predicted .948" in " ".join(whole.split())
    assert "no check: without its largest size 3 sizes are left" in whole
    assert "cannot predict: 3 sizes (100, 500, 1000), and 4 are needed" in without
    assert "at 2500, where .945 was measured" in without
