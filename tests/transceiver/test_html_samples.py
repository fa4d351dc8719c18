"""What a page shows of samples: packed numbers, clouds, histograms, maps of indices."""

import base64
from pathlib import Path

import numpy as np
import pytest

from transceiver.html.samples import REACH, Packed, index_grid, load_samples, pack, signal


def unpack(packed: Packed) -> np.ndarray:
    whole = np.frombuffer(base64.b64decode(packed.data), np.dtype(packed.dtype).newbyteorder("<"))
    return whole * packed.scale


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([-32768, 32767], "int16"),
        ([0, 65535], "uint16"),
        ([-1, 40000], "int32"),
        ([], "int16"),
    ],
)
def test_packed_numbers_come_back(values: list[int], dtype: str) -> None:
    packed = pack(np.array(values, dtype=np.int64))
    assert packed.dtype == dtype
    assert unpack(packed).tolist() == values


def test_numbers_too_large_are_refused() -> None:
    with pytest.raises(ValueError, match="values must fit into 32 bits at scale 1, got 0 to 1e"):
        pack(np.array([0.0, 1e10]))


def test_clouds_count_what_lies_outside() -> None:
    z = np.array([1 + 2j, -REACH - 1e-3, 3 + 100j, complex(np.nan, 0), -0.5j])
    found = signal({"received": z, "symbols": z[:1]}, most=5, grid=None)
    assert found.received is not None
    assert found.received.outside == 3
    expected = [1, 2, 0, -0.5]
    assert unpack(found.received.values) == pytest.approx(expected, abs=REACH / 32767)
    assert found.equalized is None
    assert found.power is not None
    assert unpack(found.power) == pytest.approx([5.0], rel=1e-4)
    assert found.gain is None
    first = signal({"received": z}, most=1, grid=None).received
    assert first is not None
    assert len(unpack(first.values)) == 2


def test_llrs_are_counted_once_each() -> None:
    rng = np.random.default_rng(1)
    llrs = np.concatenate([rng.normal(size=995), [1e9, -np.inf, np.inf, 0, 0]])
    found = signal({"llrs": llrs}, most=1, grid=None).llrs
    assert found is not None
    assert found.high == -found.low == pytest.approx(np.quantile(np.abs(llrs), 0.995))
    (counts,) = found.counts
    assert sum(counts) == 1000
    bits = (llrs < 0).astype(np.uint8)
    split = signal({"llrs": llrs, "coded_bits": bits}, most=1, grid=None).llrs
    assert split is not None
    zeros, ones = split.counts
    assert (sum(zeros), sum(ones)) == (int((bits == 0).sum()), int(bits.sum()))
    assert sum(ones[31:]) == 0  # above zero there are zeros only
    assert signal({"llrs": llrs[:0]}, most=1, grid=None).llrs is None


def test_index_maps() -> None:
    sent = np.arange(6)
    received = np.array([0, 9, 2, 3, 4, 8])
    samples = {"indices": sent, "indices_hat": received}
    found = signal(samples, most=1, grid=(2, 3)).indices
    assert found is not None
    assert (found.rows, found.columns, found.spatial, found.errors) == (2, 3, True, 2)
    assert unpack(found.sent).tolist() == sent.tolist()
    assert unpack(found.received).tolist() == received.tolist()
    lines = signal(samples, most=1, grid=None, columns=4).indices
    assert lines is not None
    assert (lines.rows, lines.columns, lines.spatial) == (2, 4, False)
    assert signal({"indices": sent}, most=1, grid=None).indices is None


@pytest.mark.parametrize(
    ("count", "height", "width", "expected"),
    [
        (4096, 512, 512, (64, 64)),
        (50 * 75, 400, 600, (50, 75)),
        (57 * 80, 451, 640, (57, 80)),  # the last line of patches reaches over the edge
        (64, 32, 32, (8, 8)),
        (336, 256, 256, None),  # grids of 4 x 4, 8 x 8 and 16 x 16 one after the other
        (1, 7, 3, (1, 1)),
    ],
)
def test_index_grid(count: int, height: int, width: int, expected: tuple[int, int] | None) -> None:
    assert index_grid(count, height, width) == expected


def test_a_missing_file_has_no_samples(tmp_path: Path) -> None:
    assert load_samples(tmp_path / "none.npz") == {}
    np.savez_compressed(tmp_path / "some.npz", llrs=np.arange(3.0))
    assert load_samples(tmp_path / "some.npz")["llrs"].tolist() == [0, 1, 2]
