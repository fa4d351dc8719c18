import pytest
import torch

from phy import interleave
from phy.interleave import Permutation, RowColumn


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 3), (3, 4), (21600, 3), (5, 1)])
def test_row_column_by_its_definition(rows: int, columns: int) -> None:
    n = rows * columns
    memory = torch.empty(rows, columns, dtype=torch.int64)
    memory.T.copy_(torch.arange(n).reshape(columns, rows))  # column after column
    expected = memory.reshape(n)  # row after row
    assert torch.equal(RowColumn(columns).interleave(torch.arange(n)), expected)


def test_one_dvbs2_8psk_symbol() -> None:
    # EN 302 307-1 Table 7: 8PSK, n = 64800, has 21600 rows and 3 columns.
    first = RowColumn(columns=3).interleave(torch.arange(64800))[:6]
    assert first.tolist() == [0, 21600, 43200, 1, 21601, 43201]


@pytest.mark.parametrize("interleaver", [RowColumn(6), Permutation(3)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.complex64])
def test_round_trip(interleaver: RowColumn | Permutation, dtype: torch.dtype) -> None:
    x = torch.arange(2 * 3 * 120).reshape(2, 3, 120).to(dtype)
    y = interleaver.interleave(x)
    assert y.shape == x.shape
    assert y.dtype == dtype
    assert not torch.equal(y, x)
    assert torch.equal(interleaver.deinterleave(y), x)
    assert torch.equal(interleaver.interleave(interleaver.deinterleave(x)), x)
    assert torch.equal(interleaver.interleave(x[1, 2]), y[1, 2])


def test_permutation_depends_on_the_seed_alone() -> None:
    x = torch.arange(1000)
    state = torch.get_rng_state()
    first = Permutation(1).interleave(x)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.sort().values, x)
    assert torch.equal(Permutation(1).interleave(x), first)
    assert not torch.equal(Permutation(2).interleave(x), first)


def test_permutation_is_uniform() -> None:
    # Where element 0 goes, over 2000 seeds: each of 4 places 500 times, standard deviation 19.4.
    places = [int(Permutation(seed).deinterleave(torch.arange(4))[0]) for seed in range(2000)]
    counts = torch.tensor(places).bincount(minlength=4)
    assert ((counts - 500).abs() < 4 * (2000 * 0.25 * 0.75) ** 0.5).all()


def test_refused() -> None:
    with pytest.raises(ValueError, match="columns must be at least 1, got 0"):
        RowColumn(0)
    with pytest.raises(ValueError, match="a block must be a multiple of 3 columns, got 10"):
        RowColumn(3).interleave(torch.arange(10))
    with pytest.raises(ValueError, match="a block must be a multiple of 3 columns, got 10"):
        RowColumn(3).deinterleave(torch.arange(10))


@pytest.mark.parametrize("interleaver", [RowColumn(6), Permutation(3)])
@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.float32, torch.complex64, torch.complex128, torch.bfloat16]
)
def test_kernel_and_tensors_agree(
    interleaver: RowColumn | Permutation, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.arange(5 * 36 * 2).reshape(36, 2, 5).to(dtype).permute(2, 1, 0)  # not contiguous
    found = interleaver.interleave(x), interleaver.deinterleave(x)
    assert interleaver.interleave(x[:0]).shape == (0, 2, 36)
    assert interleaver.deinterleave(x[..., :0]).shape == (5, 2, 0)
    monkeypatch.setattr(interleave, "on_host", lambda *_: False)
    assert torch.equal(interleaver.interleave(x), found[0])
    assert torch.equal(interleaver.deinterleave(x), found[1])
