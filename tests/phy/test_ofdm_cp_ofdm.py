"""CP-OFDM: the transform by definition, and circular convolution behind a prefix."""

import math
from typing import Any

import pytest
import torch

from phy.from_sionna import load
from phy.ofdm import CpOfdm


def grid(ofdm: CpOfdm, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, ofdm.subcarriers, dtype=torch.complex64, generator=generator)


@pytest.mark.parametrize(("subcarriers", "prefix"), [(1, 0), (5, 2), (8, 8), (12, 3), (64, 0)])
def test_modulation_by_definition(subcarriers: int, prefix: int) -> None:
    """x[n] = sum_k X_k exp(j 2 pi k n / N) / sqrt(N) for n from -C, k from -N/2."""
    ofdm = CpOfdm(subcarriers, 15e3, prefix)
    x = grid(ofdm, 3)
    k = torch.arange(subcarriers) - subcarriers // 2
    assert torch.equal(ofdm.frequencies, k)
    n = torch.arange(-prefix, subcarriers)
    turns = k[:, None] * n / subcarriers
    expected = x @ torch.exp(2j * math.pi * turns) / subcarriers**0.5
    assert ofdm.modulate(x).shape == (3, ofdm.symbol_samples)
    assert torch.allclose(ofdm.modulate(x), expected, atol=2e-5)


@pytest.mark.parametrize("subcarriers", [6, 7, 256])
def test_round_trip_keeps_energy(subcarriers: int) -> None:
    ofdm = CpOfdm(subcarriers, 30e3, 3)
    x = grid(ofdm, 2)
    samples = ofdm.modulate(x)
    assert torch.allclose(ofdm.demodulate(samples), x, atol=1e-5)
    useful = samples[:, 3:]
    assert torch.equal(samples[:, :3], useful[:, -3:])
    assert float(useful.abs().square().sum()) == pytest.approx(float(x.abs().square().sum()))


def test_a_delay_within_the_prefix_turns_phases() -> None:
    """And ``advance`` turns back those of a window that opens early."""
    ofdm = CpOfdm(16, 15e3, 5)
    x = grid(ofdm, 4)
    samples = ofdm.modulate(x).flatten()
    for delay in range(6):
        late = torch.cat([samples.new_zeros(delay), samples])[: len(samples)].reshape(4, -1)
        turned = x * torch.exp(-2j * math.pi * ofdm.frequencies * delay / 16)
        assert torch.allclose(ofdm.demodulate(late), turned, atol=1e-5)
        assert torch.allclose(ofdm.demodulate(late, advance=delay), x, atol=1e-5)


def test_against_sionna() -> None:
    module = load("sionna.phy.ofdm")
    ofdm = CpOfdm(48, 15e3, 7)
    x = grid(ofdm, 3)
    theirs = module.OFDMModulator(7, device="cpu")(x[None])[0]
    assert torch.allclose(ofdm.modulate(x).flatten(), theirs, atol=1e-5)
    back = module.OFDMDemodulator(48, 0, 7, device="cpu")(theirs[None])[0]
    assert torch.allclose(ofdm.demodulate(theirs.reshape(3, -1)), back, atol=1e-5)


def test_numbers_and_filling() -> None:
    ofdm = CpOfdm(1024, 30e3, 72)
    assert (ofdm.sample_rate_hz, ofdm.symbol_samples) == (30.72e6, 1096)
    assert ofdm.symbol_duration_s == pytest.approx(1096 / 30.72e6)
    small = CpOfdm(3, 15e3, 0)
    assert small.fill(torch.arange(1, 8)).tolist() == [[1, 2, 3], [4, 5, 6], [7, 0, 0]]
    assert small.fill(torch.arange(6)).shape == (2, 3)
    assert small.fill(torch.arange(0)).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subcarriers": 0}, "subcarriers must be 1 to 8192, got 0"),
        ({"subcarriers": 8193}, "subcarriers must be 1 to 8192, got 8193"),
        ({"subcarrier_spacing_hz": 0.0}, "subcarrier_spacing_hz must be positive and finite"),
        ({"cyclic_prefix": 65}, "cyclic_prefix must be 0 to 64 subcarriers, got 65"),
        ({"cyclic_prefix": -1}, "cyclic_prefix must be 0 to 64 subcarriers, got -1"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    valid = {"subcarriers": 64, "subcarrier_spacing_hz": 15e3, "cyclic_prefix": 4}
    with pytest.raises(ValueError, match=message):
        CpOfdm(**(valid | arguments))
