"""Signal-to-noise ratios, their conversions and the noise variance they stand for.

Es = 1 is the mean *transmitted* energy per symbol (fading has E|h|^2 = 1), N0 the noise variance
per complex symbol, Eb = Es / (bits_per_symbol * code_rate) the energy per information bit.
"""

from math import inf, log10


def noise_variance_from_esn0_db(esn0_db: float) -> float:
    """N0 = 10^(-esn0_db / 10), for Es = 1.

    >>> noise_variance_from_esn0_db(20)
    0.01
    """
    return float(10 ** (-esn0_db / 10))


def esn0_db_from_noise_variance(noise_variance: float) -> float:
    """Es/N0 in dB of a noise variance N0 > 0, for Es = 1; `ValueError` for others.

    >>> esn0_db_from_noise_variance(0.01)
    20.0
    """
    if not 0 < noise_variance < inf:
        raise ValueError(f"noise_variance must be positive and finite, got {noise_variance}")
    return -10 * log10(noise_variance)


def esn0_db_from_ebn0_db(ebn0_db: float, *, bits_per_symbol: float, code_rate: float) -> float:
    """Es/N0 = Eb/N0 * bits_per_symbol * code_rate, in dB.

    Args:
        ebn0_db: Energy per information bit over N0, in dB.
        bits_per_symbol: Coded bits per symbol, > 0; a mean where modulations mix.
        code_rate: Information bits per coded bit, in (0, 1]; 1 = uncoded.

    Raises:
        ValueError: A value outside these ranges.

    >>> esn0_db_from_ebn0_db(4.0, bits_per_symbol=2, code_rate=0.5)
    4.0
    """
    return ebn0_db + _bits_per_symbol_db(bits_per_symbol, code_rate)


def ebn0_db_from_esn0_db(esn0_db: float, *, bits_per_symbol: float, code_rate: float) -> float:
    """Eb/N0 = Es/N0 / (bits_per_symbol * code_rate), in dB; the inverse.

    Args:
        esn0_db: Energy per symbol over N0, in dB.
        bits_per_symbol: Coded bits per symbol, > 0; a mean where modulations mix.
        code_rate: Information bits per coded bit, in (0, 1]; 1 = uncoded.

    Raises:
        ValueError: A value outside these ranges.

    >>> round(ebn0_db_from_esn0_db(10.0, bits_per_symbol=6, code_rate=0.5), 3)
    5.229
    """
    return esn0_db - _bits_per_symbol_db(bits_per_symbol, code_rate)


def _bits_per_symbol_db(bits_per_symbol: float, code_rate: float) -> float:
    """Information bits per symbol, in dB."""
    if not 0 < bits_per_symbol < inf:
        raise ValueError(f"bits_per_symbol must be positive and finite, got {bits_per_symbol}")
    if not 0 < code_rate <= 1:
        raise ValueError(f"code_rate must be in (0, 1], got {code_rate}")
    return 10 * log10(bits_per_symbol * code_rate)
