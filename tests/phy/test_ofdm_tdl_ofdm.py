"""OFDM over tapped delay lines: statistics in frequency, and what time does beyond it."""

import math
from typing import Any, Literal

import pytest
import torch

from phy.channel import transmit
from phy.equalize import zero_forcing
from phy.from_sionna import load
from phy.noise import standard_complex_normal
from phy.ofdm import CpOfdm, Tdl, TdlOfdm
from phy.ofdm.tdl_ofdm import Carried
from phy.psk import qpsk
from phy.theory import ber

N, SPACING = 64, 60e3


def link(
    domain: Literal["frequency", "time"],
    *,
    model: Any = "A",
    spread: float | None = 100e-9,
    speed: float = 0.0,
    subcarriers: int = N,
    spacing: float = SPACING,
    prefix: int = 32,
) -> TdlOfdm:
    ofdm = CpOfdm(subcarriers, spacing, prefix)
    channel = Tdl(model, delay_spread_s=spread, carrier_frequency_hz=3e9, speed_m_s=speed)
    return TdlOfdm(channel, ofdm, domain)


def symbols(count: int, *, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return qpsk().map(torch.randint(2, (2 * count,), generator=generator, dtype=torch.uint8))


def carry(channel: TdlOfdm, x: torch.Tensor, seed: int) -> Carried:
    return channel.carry(x, generator=torch.Generator().manual_seed(seed))


def gains(channel: TdlOfdm, frames: int, count: int = N) -> torch.Tensor:
    """Of independent frames, complex128 ``[frames, count]``."""
    x = torch.ones(count, dtype=torch.complex64)
    return torch.stack([carry(channel, x, i).gains for i in range(frames)]).to(torch.complex128)


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("model", ["A", "D"])
def test_unit_mean_power(domain: Any, model: str) -> None:
    """E|H|^2 = 1 within 4 sigma: on every subcarrier in frequency, on average in time."""
    power = gains(link(domain, model=model), 250).abs().square()
    mean, spread = power.mean(1), 4 / 250**0.5
    assert abs(float(mean.mean()) - 1) < spread * float(mean.std())
    if domain == "frequency":
        assert bool(((power.mean(0) - 1).abs() < spread * power.std(0)).all())


def test_frequency_correlation_is_the_transform_of_the_profile() -> None:
    """E[H(f) H*(f + d)] = sum_p P_p exp(j 2 pi d tau_p)."""
    channel, frames = link("frequency"), 800
    h = gains(channel, frames)
    for apart in (1, 4, 9, 30):
        products = h[:, :-apart] * h[:, apart:].conj()
        turns = apart * SPACING * channel.tdl.delays_s
        expected = (channel.tdl.powers * torch.exp(2j * math.pi * turns)).sum()
        found = products.mean(1)
        bound = 4 * float((found - expected).abs().square().mean().sqrt()) / frames**0.5
        assert abs(complex(found.mean() - expected)) < bound
    assert abs(complex(expected)) < 0.8


def test_against_sionna_in_frequency() -> None:
    module = load("sionna.phy.channel")
    channel = link("frequency", speed=100.0)
    h = gains(channel, 1, 5 * N)[0].reshape(5, N)
    generator = torch.Generator().manual_seed(0)
    paths = channel.tdl.gains(5, channel.ofdm.symbol_duration_s, generator=generator)
    theirs = module.cir_to_ofdm_channel(
        module.subcarrier_frequencies(N, SPACING, precision="double", device="cpu"),
        paths[None, None, None, None, None],
        channel.tdl.delays_s[None, None, None],
    )
    assert torch.allclose(h, theirs.reshape(5, N), atol=1e-6)
    assert float((h[0] - h[4]).abs().max()) > 0.02


def test_against_sionna_in_time() -> None:
    """Taps through cir_to_time_channel, sample by sample through ApplyTimeChannel."""
    module = load("sionna.phy.channel")
    channel = link("time", speed=500.0, prefix=4)
    x = symbols(3 * N)
    ours = carry(channel, x, 5)
    samples = channel.ofdm.modulate(x.reshape(3, N)).reshape(1, 1, 1, -1)
    count, rate = samples.shape[-1], channel.ofdm.sample_rate_hz
    lags = module.time_lag_discrete_time_channel(rate, float(channel.tdl.delays_s.max()))
    assert lags[1] - lags[0] == channel.channel_samples
    paths = channel.tdl.gains(
        count + channel.channel_samples, 1 / rate, generator=torch.Generator().manual_seed(5)
    )
    taps = module.cir_to_time_channel(
        rate, paths[None, None, None, None, None], channel.tdl.delays_s[None, None, None], *lags
    ).to(torch.complex64)
    energy = channel.tdl.powers @ torch.sinc(
        torch.arange(lags[0], lags[1] + 1) - rate * channel.tdl.delays_s[:, None]
    ).square().sum(1)
    apply = module.ApplyTimeChannel(count, channel.channel_samples + 1, device="cpu")
    received = apply(samples, taps).flatten()[:count] / energy.sqrt()
    theirs = channel.ofdm.demodulate(received.reshape(3, -1).to(torch.complex64), advance=6)
    assert torch.allclose(ours.symbols, theirs.flatten(), atol=2e-4)
    direct = taps.reshape(-1, taps.shape[-1])[:count].reshape(3, -1, taps.shape[-1])[:, 4:]
    lag = torch.arange(lags[0], lags[1] + 1, dtype=torch.float64)
    turns = lag[:, None] * channel.ofdm.frequencies / N
    mean = direct.mean(1).to(torch.complex128) @ torch.exp(-2j * math.pi * turns)
    assert torch.allclose(ours.gains, (mean / energy.sqrt()).flatten().to(ours.gains), atol=2e-4)


def test_time_is_frequency_where_the_prefix_is_long_and_nothing_moves() -> None:
    """TDL-A30 with paths on the samples (5 ns): gains alike; any delays: symbols come back."""
    on_samples = {"model": "A30", "spread": None, "subcarriers": 256, "spacing": 200e6 / 256}
    for keys in (on_samples | {"prefix": 70}, {"prefix": 30}, {"prefix": 44, "model": "D"}):
        channels = [link(domain, **keys) for domain in ("frequency", "time")]  # type: ignore[arg-type]
        assert channels[1].channel_samples <= keys["prefix"]  # type: ignore[operator]
        x = symbols(700)
        by_frequency, by_time = (carry(channel, x, 3) for channel in channels)
        assert torch.allclose(by_time.symbols, by_time.gains * x, atol=1e-4)
        if "spread" in keys:
            assert torch.allclose(by_time.gains, by_frequency.gains, atol=1e-4)
            assert torch.allclose(by_time.symbols, by_frequency.symbols, atol=1e-4)
    error = carry(link("time", prefix=0), x, 3)
    assert float((error.symbols - error.gains * x).abs().max()) > 0.1


def bit_error_rate(channel: TdlOfdm, *, esn0_db: float, frames: int) -> tuple[float, float]:
    """Of uncoded QPSK, and 4 standard deviations of its mean over independent frames."""
    rates, n0 = [], 10 ** (-esn0_db / 10)
    for i in range(frames):
        bits = torch.randint(
            2, (8 * N,), generator=torch.Generator().manual_seed(i), dtype=torch.uint8
        )
        out = carry(channel, qpsk().map(bits), i)
        noise = standard_complex_normal(4 * N, generator=torch.Generator().manual_seed(10**6 + i))
        one = torch.ones_like(out.gains)
        y = transmit(out.symbols, gains=one, noise_variance=n0, noise=noise)
        equalized = zero_forcing(y, out.gains, n0)
        llrs = qpsk().demap(equalized.unbiased, equalized.noise_variance, method="max_log")
        rates.append(float(((llrs < 0) != bits.bool()).double().mean()))
    values = torch.tensor(rates, dtype=torch.float64)
    return float(values.mean()), 4 * float(values.std()) / frames**0.5


@pytest.mark.parametrize("model", ["C", "D"])
def test_uncoded_bit_error_rate_is_that_of_the_law(model: str) -> None:
    """Rayleigh for C, Rician for D: each subcarrier is a flat channel of that law."""
    channel = link("frequency", model=model, spread=1e-6)
    found, spread = bit_error_rate(channel, esn0_db=8, frames=300)
    assert abs(found - float(ber(qpsk(), 8.0, fading=channel.tdl.law))) < spread


def test_short_prefix_leaves_an_error_floor() -> None:
    """At 60 dB a sufficient prefix leaves almost no errors, none at all leaves percents."""
    long, short = (link("time", spread=300e-9, prefix=p, model="C") for p in (28, 0))
    assert bit_error_rate(long, esn0_db=60, frames=30)[0] < 1e-3
    assert bit_error_rate(short, esn0_db=60, frames=30)[0] > 0.01


@pytest.mark.parametrize("speed", [400.0, 1200.0])
def test_moving_receivers_have_intercarrier_interference(speed: float) -> None:
    """Its power is (2 pi f_D T)^2 / 24 of the signal's for isotropic scattering.

    Y. Li, L. J. Cimini, "Bounds on the interchannel interference of OFDM in time-varying
    impairments", IEEE Trans. COM 49(3), 2001: with T the length of the window, small f_D T.
    """
    channel = link("time", speed=speed, subcarriers=128, spacing=30e3, prefix=40)
    x = symbols(2 * 128)
    powers = []
    for seed in range(60):
        out = carry(channel, x, seed)
        powers.append(float((out.symbols - out.gains * x).abs().square().mean()))
    found = torch.tensor(powers)
    expected = (2 * math.pi * channel.tdl.doppler_hz / 30e3) ** 2 / 24
    spread = 4 * float(found.std()) / 60**0.5
    assert abs(float(found.mean()) - expected) < spread
    assert spread < 0.5 * expected


@pytest.mark.parametrize("domain", ["frequency", "time"])
@pytest.mark.parametrize("speed", [0.0, 30.0, 3000.0])
def test_shorter_frames_see_the_first_gains_of_longer_ones(domain: Any, speed: float) -> None:
    """Bit-identical, whatever was carried in between."""
    channel = link(domain, speed=speed, model="D")
    x = symbols(7 * N + 5)
    whole = carry(channel, x, 11)
    for count in (1, 3, N, N + 1, 3 * N + 7, 7 * N + 5):
        carry(channel, x[:9], count)
        part = carry(channel, x[:count], 11)
        assert torch.equal(part.gains, whole.gains[:count])
        if domain == "frequency" or count % N == 0:
            assert torch.equal(part.symbols, whole.symbols[:count])
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(carry(channel, x, 11).symbols, whole.symbols)
    finally:
        torch.set_num_threads(threads)


def test_types_lengths_and_law() -> None:
    for domain in ("frequency", "time"):
        channel = link(domain, model="D")  # type: ignore[arg-type]
        out = carry(channel, symbols(100), 0)
        assert out.symbols.dtype == out.gains.dtype == torch.complex64
        assert len(out.symbols) == len(out.gains) == 100
        none = carry(channel, symbols(0), 0)
        assert len(none.symbols) == len(none.gains) == 0
        assert channel.law == channel.tdl.law


def test_refused_domain() -> None:
    with pytest.raises(ValueError, match="domain must be frequency or time, got 'delay'"):
        link("delay")  # type: ignore[arg-type]
