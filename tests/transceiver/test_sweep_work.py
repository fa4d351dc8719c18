"""What a worker, perhaps on another machine, checks before it begins."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from semcodec.errors import CodecError
from transceiver.build import build
from transceiver.scenario import parse
from transceiver.sweep.facts import agreed
from transceiver.sweep.work import Workshop


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def _shop(data: dict[str, Any]) -> Workshop:
    scenario = parse(data)
    here = torch.backends.cpu.get_cpu_capability()
    return Workshop(scenario, 1, None, agreed(scenario, build(scenario)), here)


def test_versions_and_weights_must_be_those_of_the_run(change: Any) -> None:
    shop = _shop(change())
    said: list[str] = []
    assert callable(shop.open(said.append))
    assert said == []
    assert torch.get_num_threads() == 1
    line = r"^version\.torch must be 0\.1, as where the run is, got \d"
    with pytest.raises(ValueError, match=line):
        replace(shop, agreed=shop.agreed | {"version.torch": "0.1"}).open(said.append)
    line = r"^weights must be vq:0123, as where the run is, got vq:[0-9a-f]{64}$"
    with pytest.raises(ValueError, match=line):
        replace(shop, agreed={"weights": "vq:0123"}).open(said.append)
    with pytest.raises(ValueError, match=r"^tables must be x, as where the run is, got nothing$"):
        replace(shop, agreed={"tables": "x"}).open(said.append)
    assert said == []


def test_a_worker_without_the_gpu_that_is_wanted_does_not_begin(
    bits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said: list[str] = []
    with pytest.raises(CodecError, match="must be cpu where torch finds no GPU, got cuda"):
        replace(_shop(bits()), device="cuda").open(said.append)
    assert said == []
    assert callable(replace(_shop(bits()), device="auto").open(said.append))
    assert said == [f"networks compute on: {torch.backends.cpu.get_cpu_capability()}"]


def test_another_vector_unit_is_said(bits: Any) -> None:
    said: list[str] = []
    replace(_shop(bits()), instructions="AVX0").open(said.append)
    (line,) = said
    assert ", the run is on AVX0: where a network is at work, last bits may depend on" in line
