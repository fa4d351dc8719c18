"""Tapped delay lines: tables of TR 38.901, power, Doppler, line of sight, random streams."""

import math
from typing import Any

import pytest
import torch
from scipy.special import j0

from phy.fading import Rayleigh, Rician
from phy.from_sionna import load
from phy.ofdm import Tdl

# TR 38.901 table 7.7.2-1: delay in delay spreads, power in dB.
TDL_A = [
    (0.0000, -13.4), (0.3819, 0.0), (0.4025, -2.2), (0.5868, -4.0), (0.4610, -6.0),
    (0.5375, -8.2), (0.6708, -9.9), (0.5750, -10.5), (0.7618, -7.5), (1.5375, -15.9),
    (1.8978, -6.6), (2.2242, -16.7), (2.1718, -12.4), (2.4942, -15.2), (2.5119, -10.8),
    (3.0582, -11.3), (4.0810, -12.7), (4.4579, -16.2), (4.5695, -18.3), (4.7966, -18.9),
    (5.0066, -16.6), (5.3043, -19.9), (9.6586, -29.7),
]  # fmt: skip
# Table 7.7.2-4: the first path's line of sight, then its scatter and the other paths.
TDL_D = [
    (0.0, -0.2), (0.0, -13.5), (0.035, -18.8), (0.612, -21.0), (1.363, -22.8), (1.405, -17.9),
    (1.804, -20.1), (2.596, -21.9), (1.775, -22.9), (4.042, -27.8), (7.937, -23.6),
    (9.424, -24.8), (9.708, -30.0), (12.525, -27.7),
]  # fmt: skip


def tdl(model: Any = "A", *, spread: float | None = 100e-9, speed: float = 0.0) -> Tdl:
    return Tdl(model, delay_spread_s=spread, carrier_frequency_hz=3e9, speed_m_s=speed)


def draws(channel: Tdl, frames: int, count: int = 1, interval_s: float = 1e-3) -> torch.Tensor:
    """Path gains of independent frames, complex128 ``[frames, paths, count]``."""
    generators = (torch.Generator().manual_seed(i) for i in range(frames))
    return torch.stack([channel.gains(count, interval_s, generator=g) for g in generators])


def test_profile_of_tdl_a() -> None:
    delays, decibels = (torch.tensor(c, dtype=torch.float64) for c in zip(*TDL_A, strict=True))
    powers = 10 ** (decibels / 10)
    channel = tdl("A", spread=30e-9)
    assert torch.allclose(channel.delays_s, delays * 30e-9, rtol=1e-6)
    assert torch.allclose(channel.powers, powers / powers.sum(), rtol=1e-6)
    assert torch.allclose(tdl("A", spread=1e-6).delays_s, delays * 1e-6, rtol=1e-6)


def test_profile_and_k_factor_of_tdl_d() -> None:
    """The first path has K = 13.3 dB (table 7.7.2-4); all scatter together makes K 9.4 dB."""
    delays, decibels = (torch.tensor(c, dtype=torch.float64) for c in zip(*TDL_D, strict=True))
    powers = 10 ** (decibels / 10)
    powers /= powers.sum()
    channel = tdl("D")
    assert torch.allclose(channel.delays_s, delays[1:] * 100e-9, rtol=1e-6)
    assert torch.allclose(channel.powers[1:], powers[2:], rtol=1e-6)
    assert float(channel.powers[0]) == pytest.approx(float(powers[0] + powers[1]))
    assert isinstance(channel.law, Rician)
    assert channel.law.k_factor == pytest.approx(float(powers[0] / powers[1:].sum()))


@pytest.mark.parametrize("model", ["A", "B", "C", "D", "E"])
def test_scaled_profiles_have_the_delay_spread_asked_for(model: str) -> None:
    """RMS of the delays weighted by power; the tables are rounded, and E's is 0.95."""
    channel = tdl(model, spread=1e-7)
    mean = (channel.powers * channel.delays_s).sum()
    spread = float((channel.powers * (channel.delays_s - mean).square()).sum().sqrt())
    assert spread == pytest.approx(1e-7, rel=0.06)
    assert float(channel.powers.sum()) == pytest.approx(1)


@pytest.mark.parametrize("model", ["A10", "A30", "B100", "C60", "C300", "D10", "D30"])
def test_fixed_profiles_are_in_their_name(model: str) -> None:
    """TS 38.101-4 annex B.2.1: delays are whole nanoseconds, the spread that of the name."""
    channel = tdl(model, spread=None)
    grid = channel.delays_s / 1e-9
    assert torch.allclose(grid, grid.round(), atol=1e-4)
    mean = (channel.powers * channel.delays_s).sum()
    spread = float((channel.powers * (channel.delays_s - mean).square()).sum().sqrt())
    assert spread == pytest.approx(int(model[1:]) * 1e-9, rel=0.12)


@pytest.mark.parametrize("model", ["A", "C", "E"])
def test_power_of_every_path(model: str) -> None:
    """Mean |gain|^2 within 4 sigma; a path's power has a standard deviation of its mean at most."""
    channel, frames = tdl(model), 800
    powers = draws(channel, frames)[..., 0].abs().square()
    assert bool(((powers.mean(0) - channel.powers).abs() < 4 * channel.powers / frames**0.5).all())
    total = powers.sum(1)
    assert abs(float(total.mean()) - 1) < 4 * float(total.std()) / frames**0.5


def test_paths_are_uncorrelated() -> None:
    frames = 1000
    gains = draws(tdl("B"), frames)[..., 0] / tdl("B").powers.sqrt()
    correlation = (gains.T @ gains.conj() / frames).abs()
    correlation.fill_diagonal_(0)
    assert float(correlation.max()) < 4.5 / frames**0.5  # the largest of 253


def test_doppler_autocorrelation_is_a_bessel_function() -> None:
    """E[h(t) h*(0)] = J0(2 pi f_D t) for every path: isotropic scattering."""
    channel, frames = tdl("A", speed=50.0), 400
    assert channel.doppler_hz == pytest.approx(50 / 299792458 * 3e9)
    interval = 0.1 / channel.doppler_hz
    gains = draws(channel, frames, 16, interval) / channel.powers.sqrt()[:, None]
    found = (gains * gains[..., :1].conj()).mean((0, 1))
    expected = torch.from_numpy(j0(2 * math.pi * 0.1 * torch.arange(16).numpy()))
    assert float(expected.min()) < -0.3
    assert float((found - expected).abs().max()) < 4 / (frames * len(channel.powers)) ** 0.5


def test_line_of_sight() -> None:
    """E: the specular part turns with 0.7 f_D, has K = 22 dB and a uniform phase."""
    channel, frames = tdl("E", speed=30.0), 600
    interval = 0.05 / channel.doppler_hz
    first = draws(channel, frames, 40, interval)[:, 0]
    turn = torch.exp(-2j * math.pi * 0.7 * 0.05 * torch.arange(40, dtype=torch.float64))
    specular = (first * turn).mean(1)
    power = 10**-0.003 / (10**-0.003 + 10**-2.203) * float(channel.powers[0])
    assert float(specular.abs().square().mean()) == pytest.approx(power, rel=0.01)
    assert abs(complex((specular / specular.abs()).mean())) < 4 / frames**0.5
    scatter = float((first.abs().square().mean() - power) / power)
    assert scatter == pytest.approx(10**-2.2, rel=0.8)


def test_speed_zero_stands_still() -> None:
    gains = draws(tdl("D"), 2, 5)
    assert torch.equal(gains[..., 0], gains[..., 4])
    assert not torch.equal(gains[0], gains[1])


def test_law_of_a_model_without_line_of_sight() -> None:
    assert tdl("C").law == Rayleigh(span=1)


@pytest.mark.parametrize("model", ["A", "D"])
def test_gains_belong_to_the_generator_alone(model: str) -> None:
    """Bit-identical in any order, at any length, and with sionna's and torch's own untouched."""
    channel, config = tdl(model, speed=20.0), load("sionna.phy").config
    whole = draws(channel, 5, 64)
    states = torch.get_rng_state(), config.torch_rng("cpu").get_state()
    for count in (1, 2, 3, 7, 63):
        for i in (4, 0, 2):
            again = channel.gains(count, 1e-3, generator=torch.Generator().manual_seed(i))
            assert torch.equal(again, whole[i, :, :count])
    used = torch.Generator().manual_seed(3)
    channel.gains(64, 1e-3, generator=used)
    other = torch.Generator().manual_seed(3)
    channel.gains(2, 1e-3, generator=other)
    assert torch.equal(used.get_state(), other.get_state())
    assert torch.equal(states[0], torch.get_rng_state())
    assert torch.equal(states[1], config.torch_rng("cpu").get_state())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "F"}, "model must be one of A, B, C, D, E, A10, .*, got F"),
        (
            {"model": "A30"},
            "delay_spread_s must be None for A30, whose delays are fixed, got 1e-07",
        ),
        ({"delay_spread_s": None}, "delay_spread_s must be at least 0 for A, got None"),
        ({"delay_spread_s": -1e-9}, "delay_spread_s must be at least 0 for A, got -1e-09"),
        ({"carrier_frequency_hz": 0.0}, "carrier_frequency_hz must be positive and finite, got 0"),
        ({"speed_m_s": -1.0}, "speed_m_s must be at least 0, got -1"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str) -> None:
    valid = {"model": "A", "delay_spread_s": 1e-7, "carrier_frequency_hz": 3e9, "speed_m_s": 1.0}
    with pytest.raises(ValueError, match=message):
        Tdl(**(valid | arguments))


def test_refused_count() -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        tdl().gains(0, 1e-3, generator=torch.Generator())
