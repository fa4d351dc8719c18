"""What a page shows of the samples of a point: constellations, LLRs, powers, indices.

The samples are those of the first picture's first trial, as a run keeps them in ``taps/*.npz``.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REACH = 8.0
"""Samples are drawn up to this amplitude (Es = 1); those beyond are counted."""

_BINS = 60
_SHOWN_VALUES = 48

Samples = Mapping[str, NDArray[np.generic]]
"""Arrays ``[n]`` by tap name."""


@dataclass(frozen=True)
class Packed:
    """Numbers as base64 of little-endian integers; a value is its integer times ``scale``."""

    dtype: str
    scale: float
    data: str


@dataclass(frozen=True)
class Cloud:
    """Complex samples ``[n]`` as real and imaginary part in turn.

    Attributes:
        values: The samples within `REACH` on both axes.
        outside: How many more there were.
    """

    values: Packed
    outside: int


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width; what lies beyond counts in the first and last bin.

    Attributes:
        low, high: Ends of the range.
        counts: One list, or one for each bit sent (0, then 1) where the sent bits were kept.
    """

    low: float
    high: float
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class IndexMap:
    """Indices of a picture, line by line of a grid of cells.

    Attributes:
        rows, columns: Of the grid.
        spatial: The grid is that of the picture; else the order of sending, broken into lines.
        sent, received: The indices kept, from the first.
        errors: How many of them differ.
    """

    rows: int
    columns: int
    spatial: bool
    sent: Packed
    received: Packed
    errors: int


@dataclass(frozen=True)
class Signal:
    """What there is to draw at a point; None for what was not kept.

    Attributes:
        power: |x|^2 of the first symbols, Es = 1.
        gain: |h|^2 of the same symbols.
        values: By tap, the first values as text.
    """

    received: Cloud | None
    equalized: Cloud | None
    llrs: Histogram | None
    power: Packed | None
    gain: Packed | None
    indices: IndexMap | None
    values: Mapping[str, str]


def load_samples(file: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a file of samples; none where there is no file."""
    if not file.is_file():
        return {}
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def signal(
    samples: Samples, *, most: int, grid: tuple[int, int] | None, columns: int = 64
) -> Signal:
    """Everything that samples allow to be drawn.

    Args:
        samples: Arrays ``[n]`` by tap name.
        most: At most so many symbols.
        grid: Rows and columns of the picture's indices; None where they have no single grid.
        columns: Of a map of indices without a grid.

    >>> found = signal({"received": np.array([1j, 9.0])}, most=10, grid=None)
    >>> found.received.outside, found.equalized, found.values
    (1, None, {'received': '0+1i, 9+0i'})
    """
    both = "indices" in samples and "indices_hat" in samples
    return Signal(
        received=_cloud(samples, "received", most),
        equalized=_cloud(samples, "equalized", most),
        llrs=_llrs(samples),
        power=_power(samples, "symbols", most),
        gain=_power(samples, "gain", most),
        indices=_index_map(samples, grid, columns) if both else None,
        values={name: _text(values) for name, values in samples.items()},
    )


def index_grid(count: int, height: int, width: int) -> tuple[int, int] | None:
    """Rows and columns of ``count`` indices, one for each square patch of a picture.

    >>> index_grid(64 * 48, 384, 512), index_grid(65, 512, 512)
    ((48, 64), None)
    """
    for side in range(1, max(height, width) + 1):
        rows, columns = -(-height // side), -(-width // side)
        if rows * columns == count:
            return rows, columns
        if rows * columns < count:
            break
    return None


def pack(values: NDArray[np.generic], scale: float = 1.0) -> Packed:
    """Round to multiples of a scale, in the smallest of three integer types.

    >>> pack(np.array([0.5, -0.25]), 0.25)
    Packed(dtype='int16', scale=0.25, data='AgD//w==')
    """
    whole = np.rint(np.asarray(values, dtype=np.float64) / scale)
    low, high = (float(whole.min()), float(whole.max())) if whole.size else (0.0, 0.0)
    for dtype in ("int16", "uint16", "int32"):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            break
    else:
        raise ValueError(
            f"values must fit into 32 bits at scale {scale:g}, got {low:g} to {high:g}"
        )
    little = whole.astype(np.dtype(dtype).newbyteorder("<"))
    return Packed(dtype, scale, base64.b64encode(little.tobytes()).decode("ascii"))


def _cloud(samples: Samples, name: str, most: int) -> Cloud | None:
    if name not in samples:
        return None
    z = np.asarray(samples[name][:most], dtype=np.complex128)
    inside = (np.abs(z.real) <= REACH) & (np.abs(z.imag) <= REACH)  # False for NaN
    parts = np.stack([z.real[inside], z.imag[inside]], axis=-1).reshape(-1)
    return Cloud(pack(parts, REACH / 32767), int((~inside).sum()))


def _power(samples: Samples, name: str, most: int) -> Packed | None:
    if name not in samples:
        return None
    z = np.asarray(samples[name][:most], dtype=np.complex128)
    power = np.nan_to_num(z.real**2 + z.imag**2)
    return pack(power, max(float(power.max(initial=0.0)), 1e-9) / 32767)


def _llrs(samples: Samples) -> Histogram | None:
    """Up to the range that holds 99.5 % of them."""
    if "llrs" not in samples or not samples["llrs"].size:
        return None
    llrs = np.nan_to_num(np.asarray(samples["llrs"], dtype=np.float64), posinf=1e9, neginf=-1e9)
    high = max(float(np.quantile(np.abs(llrs), 0.995)), 1e-6)
    limited = np.clip(llrs, -high, high)
    groups = [limited]
    bits = samples.get("coded_bits")
    if bits is not None:
        known = min(len(bits), len(limited))
        groups = [limited[:known][bits[:known] == bit] for bit in (0, 1)]
    counts = (np.histogram(group, bins=_BINS, range=(-high, high))[0] for group in groups)
    return Histogram(-high, high, tuple(tuple(map(int, count)) for count in counts))


def _index_map(samples: Samples, grid: tuple[int, int] | None, columns: int) -> IndexMap:
    sent, received = samples["indices"], samples["indices_hat"]
    known = min(len(sent), len(received))
    sent, received = sent[:known], received[:known]
    rows = -(-known // columns)
    if grid is not None:
        rows, columns = grid
    errors = int(np.sum(sent != received))
    return IndexMap(rows, columns, grid is not None, pack(sent), pack(received), errors)


def _text(values: NDArray[np.generic]) -> str:
    """The first values in short.

    >>> _text(np.array([1.5, -2.0])), _text(np.arange(3)), _text(np.array([1 - 1j]))
    ('1.5, -2', '0, 1, 2', '1-1i')
    """
    shown = values[:_SHOWN_VALUES].tolist()
    if np.iscomplexobj(values):
        return ", ".join(f"{z.real:.4g}{z.imag:+.4g}i" for z in shown)
    return ", ".join(f"{value:.4g}" if isinstance(value, float) else str(value) for value in shown)
