"""OFDM over a tapped delay line: in the frequency domain, or sample by sample in time.

Frequency: the prefix is taken as long enough and the channel as constant during an OFDM symbol.
Subcarrier k of OFDM symbol l sees the gain

    H[l, k] = sum_p a_p(l T) exp(-j 2 pi f_k tau_p).

Time: the samples go through the channel's taps at the sample rate W,

    y[n] = sum_m g_m[n] x[n - m],   g_m[n] = c sum_p a_p(n / W) sinc(m - W tau_p),  m = -6 .. M,

with M = ceil(W max tau_p) + 6, so that a path between two samples is spread over 13 of them at
least; the constant c makes sum E|g_m|^2 = 1 in spite of the sinc's cut ends. The receiver opens
its window 6 samples early. What exceeds the prefix (M + 6 samples) reaches into the next OFDM
symbol, and what changes during an OFDM symbol reaches into other subcarriers. The gain is then
the channel's mean over the window, H[l, k] = sum_m mean_n(g_m[n]) exp(-j 2 pi f_k m / W): all
that a one-tap equaliser can use. Around the ends of the band the cut sinc makes E|H|^2 fall from
1 and swing.

In the shapes: n symbols, t OFDM symbols of N subcarriers, p paths, s samples.
"""

from dataclasses import dataclass
from math import ceil, pi
from typing import Literal

import torch
from torch import Tensor

from phy.arrays import Symbols
from phy.channel import complex_product
from phy.fading import Rayleigh, Rician
from phy.ofdm.cp_ofdm import CpOfdm
from phy.ofdm.tdl import Tdl

_LOBES = 6
"""Zeros of the sinc on either side of a path."""

_PHASE_STEP = 0.01
"""Radians that a path may turn between two times at which it is computed.

Between them the taps are interpolated linearly; the error is below 0.01^2 / 8, -98 dB.
"""


@dataclass(frozen=True, eq=False)
class Carried:
    """A frame behind the channel, without noise.

    Attributes:
        symbols: What arrives on the subcarriers, complex64 ``[n]``.
        gains: What a one-tap equaliser divides by, complex64 ``[n]``.
    """

    symbols: Symbols
    gains: Tensor


@dataclass(frozen=True)
class TdlOfdm:
    """A frame's symbols fill OFDM symbols one after the other; the rest of the last stays empty.

    Attributes:
        tdl: The multipath channel. Its time begins with the frame.
        ofdm: The modulation of the subcarriers.
        domain: ``frequency`` or ``time``.

    >>> ofdm = CpOfdm(subcarriers=64, subcarrier_spacing_hz=30e3, cyclic_prefix=16)
    >>> tdl = Tdl("A", delay_spread_s=100e-9, carrier_frequency_hz=3.5e9, speed_m_s=3.0)
    >>> x = torch.ones(100, dtype=torch.complex64)
    >>> out = TdlOfdm(tdl, ofdm, "frequency").carry(x, generator=torch.Generator().manual_seed(1))
    >>> out.symbols.shape, torch.equal(out.symbols, out.gains)
    (torch.Size([100]), True)
    """

    tdl: Tdl
    ofdm: CpOfdm
    domain: Literal["frequency", "time"]

    def __post_init__(self) -> None:
        """Refuse another domain."""
        if self.domain not in ("frequency", "time"):
            raise ValueError(f"domain must be frequency or time, got {self.domain!r}")

    @property
    def law(self) -> Rayleigh | Rician:
        """The law of a symbol's gain (in time, away from the ends of the band)."""
        return self.tdl.law

    @property
    def channel_samples(self) -> int:
        """From the first tap to the last, M + 6: the prefix that ``time`` needs."""
        return self._lags[-1] - self._lags[0]

    def carry(self, symbols: Symbols, *, generator: torch.Generator) -> Carried:
        """Carry a frame.

        The gains depend on the generator and on each symbol's place alone: a shorter frame sees
        the first gains of a longer one.

        Args:
            symbols: complex64 ``[n]``.
            generator: A CPU generator; what is drawn does not depend on n.
        """
        if not len(symbols):
            return Carried(symbols, symbols.clone())
        grid = self.ofdm.fill(symbols)
        if self.domain == "frequency":
            gains = self._frequency_response(len(grid), generator).to(symbols.device)
            received = complex_product(gains, grid)
        else:
            received, gains = self._through_taps(grid, generator)
        return Carried(received.flatten()[: len(symbols)], gains.flatten()[: len(symbols)])

    def _frequency_response(self, count: int, generator: torch.Generator) -> Tensor:
        """H, complex64 ``[t, N]``."""
        paths = self.tdl.gains(count, self.ofdm.symbol_duration_s, generator=generator)
        spacing = self.ofdm.subcarrier_spacing_hz
        turns = self.tdl.delays_s[:, None] * (self.ofdm.frequencies * spacing)
        return _superpose(paths, _phasor(turns))

    def _through_taps(self, grid: Symbols, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What arrives, and the gains, both complex64 ``[t, N]``."""
        ofdm, lags = self.ofdm, self._lags
        samples = ofdm.modulate(grid).flatten()
        count = len(samples)
        step = self._sampling_step
        time = torch.arange(count)
        before, part = time // step, (time % step / step).float()[:, None]
        coarse = self.tdl.gains(
            int(before[-1]) + 2, step / ofdm.sample_rate_hz, generator=generator
        )
        taps = _superpose(self._pulses, coarse)  # [lags, times]

        received, means = torch.zeros_like(samples), []
        for place, tap in enumerate(taps):
            now, then = (torch.view_as_real(tap[before + i]) for i in (0, 1))
            gain = torch.view_as_complex(now + (then - now) * part).to(samples.device)
            delayed = torch.cat([samples.new_zeros(place), samples])[:count]
            received += complex_product(gain, delayed)
            window = gain.reshape(-1, ofdm.symbol_samples)[:, ofdm.cyclic_prefix :]
            parts = (
                torch.sum(p.double(), -1) / ofdm.subcarriers for p in (window.real, window.imag)
            )
            means.append(torch.complex(*parts))
        turns = torch.tensor(lags)[:, None] * ofdm.frequencies / ofdm.subcarriers
        gains = _superpose(torch.stack(means), _phasor(turns).to(samples.device))
        rows = received.reshape(-1, ofdm.symbol_samples)
        return ofdm.demodulate(rows, advance=-lags[0]), gains

    @property
    def _lags(self) -> range:
        latest = float(self.tdl.delays_s.max()) * self.ofdm.sample_rate_hz
        return range(-_LOBES, ceil(latest - 1e-9) + _LOBES + 1)

    @property
    def _pulses(self) -> Tensor:
        """Factors of the paths' gains in the taps, c sinc(m - W tau_p), float64 ``[p, lags]``."""
        delays = self.tdl.delays_s * self.ofdm.sample_rate_hz
        pulses = torch.sinc(torch.tensor(self._lags) - delays[:, None])
        energy = (self.tdl.powers[:, None] * pulses.square()).sum()
        return pulses / energy.sqrt()

    @property
    def _sampling_step(self) -> int:
        """Samples from one computed time to the next."""
        turn = 2 * pi * self.tdl.doppler_hz / self.ofdm.sample_rate_hz
        return max(int(_PHASE_STEP / turn), 1) if turn > _PHASE_STEP * 2**-40 else 2**40


def _phasor(turns: Tensor) -> Tensor:
    """exp(-j 2 pi turns), complex128."""
    angle = (-2 * pi) * (turns.double() % 1)
    return torch.complex(angle.cos(), angle.sin())


def _superpose(weights: Tensor, waves: Tensor) -> Tensor:
    """sum_p weights[p, i] waves[p, j], complex64 ``[i, j]`` of ``[p, i]`` and ``[p, j]``.

    Term by term in one order: an element does not depend on how many others there are.
    """
    total = torch.zeros(
        weights.shape[1], waves.shape[1], dtype=torch.complex128, device=weights.device
    )
    for weight, wave in zip(weights.to(total.dtype), waves.to(total.dtype), strict=True):
        total += complex_product(weight[:, None], wave[None])
    return total.to(torch.complex64)
