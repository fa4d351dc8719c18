import pytest
import torch

from phy import ragged as module
from phy.ragged import Ragged


def test_of_and_split_are_inverse() -> None:
    parts = [torch.arange(3), torch.arange(0), torch.arange(5)]
    ragged = Ragged.of(parts)
    assert ragged.lengths == (3, 0, 5)
    for part, back in zip(parts, ragged.split(), strict=True):
        assert torch.equal(part, back)


def test_trailing_dimensions_stay() -> None:
    ragged = Ragged.of([torch.ones(2, 3), torch.zeros(1, 3)])
    assert ragged.values.shape == (3, 3)
    assert ragged.pad_to_multiple(2).values.shape == (4, 3)
    assert ragged.take([1, 1]).values.tolist() == [[1, 1, 1], [0, 0, 0]]


def test_padding_is_undone_by_take() -> None:
    ragged = Ragged(torch.arange(1, 11), (4, 0, 1, 5))
    padded = ragged.pad_to_multiple(4)
    assert padded.lengths == (4, 0, 4, 8)
    assert padded.values.tolist() == [1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0]
    assert torch.equal(padded.take(ragged.lengths).values, ragged.values)


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"sum to 3 values, got \(1, 1\)"):
        Ragged(torch.arange(3), (1, 1))
    with pytest.raises(ValueError, match=r"lengths must be >= 0 .*, got \(4, -1\)"):
        Ragged(torch.arange(3), (4, -1))
    with pytest.raises(ValueError, match=r"lengths must be at most \(1, 2\), got \(1, 3\)"):
        Ragged(torch.arange(3), (1, 2)).take([1, 3])
    with pytest.raises(ValueError, match="multiple must be at least 1, got 0"):
        Ragged(torch.arange(3), (3,)).pad_to_multiple(0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.bfloat16, torch.complex128])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_kernel_and_tensors_agree(
    dtype: torch.dtype, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = (4, 0, 1, 5)
    ragged = Ragged(torch.arange(1, 1 + 10 * 2 ** len(shape)).to(dtype)[:10], lengths)
    if shape:
        values = torch.randn(*shape, 10, generator=torch.Generator()).to(dtype)
        ragged = Ragged(values.movedim(-1, 0), lengths)  # not contiguous
    cut, padded = ragged.take((2, 0, 1, 0)), ragged.pad_to_multiple(3)
    monkeypatch.setattr(module, "on_host", lambda *_: False)
    assert torch.equal(ragged.take((2, 0, 1, 0)).values, cut.values)
    assert torch.equal(ragged.pad_to_multiple(3).values, padded.values)
    assert padded.lengths == (6, 0, 3, 6)


def test_nothing_to_do() -> None:
    ragged = Ragged(torch.arange(6), (4, 2))
    assert ragged.take([4, 2]) is ragged
    assert ragged.pad_to_multiple(2) is ragged
    assert Ragged(torch.empty(0), ()).pad_to_multiple(4).lengths == ()
