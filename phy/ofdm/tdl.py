"""Tapped delay lines TDL-A to TDL-E of 3GPP TR 38.901, and those of TS 38.101-4.

Tables and random processes are sionna's (`phy.from_sionna`): clause 7.7.2 with the delays scaled by
the delay spread, and TS 38.101-4 annex B.2.1 with fixed delays (A30: TDL-A, 30 ns). Each path
fades as a sum of 20 sinusoids with random angles and phases (C. Xiao, Y. R. Zheng, N. C. Beaulieu,
IEEE Trans. Wireless Commun. 5(12), 2006): close to Rayleigh, with the autocorrelation
J0(2 pi f_D t) of isotropic scattering. The first path of D and E has a line of sight too, with a
Doppler shift of 0.7 f_D.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from phy.fading import Rayleigh, Rician
from phy.from_sionna import load

Model: TypeAlias = Literal[
    "A", "B", "C", "D", "E", "A10", "A30", "B100", "C60", "C300", "D10", "D30"
]
_SPEED_OF_LIGHT = 299792458.0


@dataclass(frozen=True)
class Tdl:
    """A multipath channel between one antenna and another.

    Attributes:
        model: A to E, or one with fixed delays.
        delay_spread_s: RMS delay spread, at least 0, of A to E; None for the others.
        carrier_frequency_hz: Above 0.
        speed_m_s: Of the receiver, at least 0; with the carrier it gives the Doppler shift.

    >>> channel = Tdl("A", delay_spread_s=100e-9, carrier_frequency_hz=3.5e9, speed_m_s=30.0)
    >>> round(channel.doppler_hz, 1), len(channel.delays_s), round(float(channel.powers.sum()), 9)
    (350.2, 23, 1.0)
    """

    model: Model
    delay_spread_s: float | None
    carrier_frequency_hz: float
    speed_m_s: float

    def __post_init__(self) -> None:
        """Refuse other models, and values that are not physical."""
        if self.model not in get_args(Model):
            raise ValueError(f"model must be one of {', '.join(get_args(Model))}, got {self.model}")
        if len(self.model) > 1 and self.delay_spread_s is not None:
            raise ValueError(
                f"delay_spread_s must be None for {self.model}, whose delays are fixed, "
                f"got {self.delay_spread_s}"
            )
        if len(self.model) == 1 and not 0 <= _or_nan(self.delay_spread_s) < float("inf"):
            raise ValueError(
                f"delay_spread_s must be at least 0 for {self.model}, got {self.delay_spread_s}"
            )
        if not 0 < self.carrier_frequency_hz < float("inf"):
            raise ValueError(
                f"carrier_frequency_hz must be positive and finite, got {self.carrier_frequency_hz}"
            )
        if not 0 <= self.speed_m_s < _SPEED_OF_LIGHT:
            raise ValueError(f"speed_m_s must be at least 0, got {self.speed_m_s}")

    @property
    def doppler_hz(self) -> float:
        """Largest Doppler shift f_D: speed / (speed of light) times the carrier frequency."""
        return self.speed_m_s / _SPEED_OF_LIGHT * self.carrier_frequency_hz

    @property
    def delays_s(self) -> Tensor:
        """Delays of the paths, float64 ``[paths]``."""
        delays: Tensor = self._parameters.delays
        return delays

    @property
    def powers(self) -> Tensor:
        """Mean powers of the paths, line of sight included, sum 1: float64 ``[paths]``."""
        powers: Tensor = self._parameters.mean_powers
        return powers

    @property
    def law(self) -> Rayleigh | Rician:
        """The law of the gain at any one frequency and time.

        A line of sight of power P on one path makes it Rician with K = P / (1 - P), the scatter
        of all paths counted together.
        """
        if not self._parameters.los:
            return Rayleigh(span=1)
        power = float(self._parameters.mean_power_los)
        return Rician(k_factor=power / (1 - power), span=1)

    def gains(self, count: int, interval_s: float, *, generator: torch.Generator) -> Tensor:
        """Gains of the paths at times 0, interval_s, 2 interval_s, ...

        Angles and phases are drawn from the generator, as many whatever the count: the gains of
        a longer draw begin with those of a shorter one.

        Args:
            count: Times, at least 1.
            interval_s: Above 0.
            generator: A CPU generator.

        Returns:
            complex128 ``[paths, count]`` with E|.|^2 = powers.
        """
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        process = self._process(generator)
        gains: Tensor = process(1, count, 1 / interval_s)[0].reshape(-1, count)
        return gains

    @cached_property
    def _parameters(self) -> Any:
        return self._process(torch.Generator())

    def _process(self, generator: torch.Generator) -> Any:
        """The channel of sionna, which draws from this generator and not from its global one."""
        base = load("sionna.phy.channel.tr38901").TDL
        seeded = type("SeededTDL", (base,), {"torch_rng": generator})
        return seeded(
            model=self.model,
            delay_spread=self.delay_spread_s,
            carrier_frequency=self.carrier_frequency_hz,
            min_speed=self.speed_m_s,
            precision="double",
            device="cpu",
        )


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
