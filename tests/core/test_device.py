"""Precisions that a processor lacks."""

import logging
import platform

import pytest
import torch

from tgap.core.device import warn_of_slow_bfloat16

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)


@pytest.mark.usefixtures("lacking")
def test_bfloat16_that_a_processor_lacks_is_told_with_the_remedy(
    caplog: pytest.LogCaptureFixture,
) -> None:
    warn_of_slow_bfloat16(CPU, torch.bfloat16, "finetuner.precision")
    assert caplog.messages == [
        "this processor has neither AVX512-BF16 nor AMX, so finetuner.precision=bfloat16 rounds "
        "without being faster; use finetuner.precision=float32"
    ]


@pytest.mark.usefixtures("lacking")
@pytest.mark.parametrize(("device", "kind"), [(CPU, torch.float32), (CUDA, torch.bfloat16)])
def test_what_is_not_slow_is_not_told(
    device: torch.device, kind: torch.dtype, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_slow_bfloat16(device, kind, "finetuner.precision")
    assert not caplog.messages


@pytest.mark.usefixtures("lacking")
def test_a_processor_that_has_it_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    with caplog.at_level(logging.WARNING):
        warn_of_slow_bfloat16(CPU, torch.bfloat16, "generator.precision")
    assert not caplog.messages
