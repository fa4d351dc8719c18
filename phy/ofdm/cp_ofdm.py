"""OFDM with a cyclic prefix: symbols on subcarriers become samples, and samples symbols.

In the shapes: t OFDM symbols of N subcarriers, C samples of cyclic prefix.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from phy.arrays import Symbols


@dataclass(frozen=True)
class CpOfdm:
    """Every subcarrier carries data; neither pilots nor guard bands.

    The transforms are unitary: samples have the mean energy of the symbols, and white noise of
    variance N0 on the samples is white noise of variance N0 on the subcarriers. The subcarriers
    of an OFDM symbol are in the order of their frequencies, from -N/2 up.

    Attributes:
        subcarriers: N, 1 to 8192.
        subcarrier_spacing_hz: Above 0.
        cyclic_prefix: C, samples, 0 to N.

    >>> ofdm = CpOfdm(subcarriers=4, subcarrier_spacing_hz=15e3, cyclic_prefix=1)
    >>> ofdm.sample_rate_hz, ofdm.modulate(torch.ones(2, 4, dtype=torch.complex64)).shape
    (60000.0, torch.Size([2, 5]))
    """

    subcarriers: int
    subcarrier_spacing_hz: float
    cyclic_prefix: int

    def __post_init__(self) -> None:
        """Refuse what is no OFDM."""
        if not 1 <= self.subcarriers <= 8192:
            raise ValueError(f"subcarriers must be 1 to 8192, got {self.subcarriers}")
        if not 0 < self.subcarrier_spacing_hz < float("inf"):
            raise ValueError(
                "subcarrier_spacing_hz must be positive and finite, "
                f"got {self.subcarrier_spacing_hz}"
            )
        if not 0 <= self.cyclic_prefix <= self.subcarriers:
            raise ValueError(
                f"cyclic_prefix must be 0 to {self.subcarriers} subcarriers, "
                f"got {self.cyclic_prefix}"
            )

    @property
    def sample_rate_hz(self) -> float:
        """N times the subcarrier spacing: the bandwidth."""
        return self.subcarriers * self.subcarrier_spacing_hz

    @property
    def symbol_samples(self) -> int:
        """Samples of an OFDM symbol with its prefix, N + C."""
        return self.subcarriers + self.cyclic_prefix

    @property
    def symbol_duration_s(self) -> float:
        """Time from one OFDM symbol to the next."""
        return self.symbol_samples / self.sample_rate_hz

    @property
    def frequencies(self) -> Tensor:
        """Of the subcarriers in units of their spacing: -N/2 (rounded down) up, int64 ``[N]``."""
        return torch.arange(self.subcarriers) - self.subcarriers // 2

    def fill(self, symbols: Symbols) -> Symbols:
        """Symbols ``[n]`` on OFDM symbols ``[t, N]``, one after the other; unused places are 0.

        >>> CpOfdm(2, 15e3, 0).fill(torch.ones(3)).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
        """
        grid = symbols.new_zeros(-(-len(symbols) // self.subcarriers), self.subcarriers)
        grid.view(-1)[: len(symbols)] = symbols
        return grid

    def modulate(self, grid: Symbols) -> Symbols:
        """Symbols on subcarriers ``[..., t, N]`` to samples ``[..., t, C + N]``."""
        useful = torch.fft.ifft(torch.fft.ifftshift(grid, dim=-1), norm="ortho")
        return torch.cat([useful[..., self.subcarriers - self.cyclic_prefix :], useful], -1)

    def demodulate(self, samples: Symbols, *, advance: int = 0) -> Symbols:
        """Samples ``[..., t, C + N]`` to what the subcarriers carry ``[..., t, N]``.

        Args:
            samples: Received, in rows of N + C; the last N of a row are transformed.
            advance: By how many samples they were taken early: the phases that this turns are
                turned back.
        """
        useful = samples[..., self.cyclic_prefix :].roll(-advance, -1)
        carried: Symbols = torch.fft.fftshift(torch.fft.fft(useful, norm="ortho"), dim=-1)
        return carried
