"""Polar codes: the chain of TS 38.212 undone by hand, and error rates against coding bounds."""

from math import ceil, log2, sqrt

import numpy as np
import pytest
import torch
from torch import Tensor

from phy.fec import Polar, SuccessiveCancellation, SuccessiveCancellationList
from phy.theory import q_function

# TS 38.212 table 5.4.1.1-1
SUB_BLOCKS = [
    0, 1, 2, 4, 3, 5, 6, 7, 8, 16, 9, 17, 10, 18, 11, 19,
    12, 20, 13, 21, 14, 22, 15, 23, 24, 25, 26, 28, 27, 29, 30, 31,
]  # fmt: skip
CRC11 = 0b111000100001  # D^11 + D^10 + D^9 + D^5 + 1, clause 5.1


def triangle(n: int) -> list[int]:
    """The channel interleaver of clause 5.4.1.3: written in rows, read in columns."""
    side = ceil((sqrt(1 + 8 * n) - 1) / 2)
    rows, start = [], 0
    for row in range(side):
        rows.append(list(range(start, min(start + side - row, n))))
        start += side - row
    return [row[column] for column in range(side) for row in rows if column < len(row)]


def remainder(bits: list[int]) -> list[int]:
    """CRC bits by long division."""
    register = 0
    for bit in [*bits, *[0] * 11]:
        register = register << 1 | bit
        if register >> 11:
            register ^= CRC11
    return [register >> i & 1 for i in range(10, -1, -1)]


@pytest.mark.parametrize("n", [128, 256, 512])
def test_uplink_chain_by_hand(n: int) -> None:
    """Without rate matching: undo both interleavers and the transform; find info and CRC."""
    code = Polar(n // 2, n)
    generator = torch.Generator().manual_seed(n)
    info = torch.randint(2, (40, code.k), generator=generator, dtype=torch.uint8)
    sent = code.encode(info).numpy()
    buffer = np.empty_like(sent)
    buffer[:, triangle(n)] = sent
    d = np.empty_like(sent)
    place = [SUB_BLOCKS[32 * i // n] * (n // 32) + i % (n // 32) for i in range(n)]
    d[:, place] = buffer
    transform = np.ones((1, 1), dtype=np.int64)
    while len(transform) < n:
        transform = np.kron(transform, np.array([[1, 0], [1, 1]]))
    u = d @ transform % 2  # the transform is its own inverse over GF(2)

    used = np.flatnonzero(u.any(0))
    assert len(used) == code.k + 11
    for row, word in zip(info.tolist(), u[:, used].tolist(), strict=True):
        assert word == row + remainder(row)
    # A place whose index has further ones is more reliable: used too (partial order of the bits).
    for i in used:
        assert all(i | 1 << bit in used for bit in range(int(log2(n))))


@pytest.mark.parametrize(("k", "n"), [(128, 280), (40, 200), (100, 140), (500, 1088), (64, 1000)])
def test_rate_matching_loses_nothing(k: int, n: int) -> None:
    """Repeated, punctured and shortened; with a third of the LLRs weak and wrong half the time."""
    code = Polar(k, n)
    generator = torch.Generator().manual_seed(k)
    info = torch.randint(2, (16, k), generator=generator, dtype=torch.uint8)
    llrs = 9 * (1 - 2 * code.encode(info).float())
    weak = torch.rand(llrs.shape, generator=generator) < 0.08
    decoded = SuccessiveCancellationList(code).decode(torch.where(weak, 0.01 * llrs, llrs))
    assert torch.equal(decoded.info, info)
    assert bool(decoded.converged.all())


def send(code: Polar, blocks: int, ebn0_db: float) -> tuple[Tensor, Tensor]:
    """Information bits and the LLRs of BPSK over white Gaussian noise."""
    generator = torch.Generator().manual_seed(1)
    info = torch.randint(2, (blocks, code.k), generator=generator, dtype=torch.uint8)
    n0 = code.n / code.k * 10 ** (-ebn0_db / 10)
    noise = torch.randn(blocks, code.n, generator=generator) * (n0 / 2) ** 0.5
    return info, 4 * (1 - 2 * code.encode(info).float() + noise) / n0


def normal_approximation(k: int, n: int, ebn0_db: float) -> float:
    """Least block error rate of any (k, n) code over binary-input white Gaussian noise, about.

    Q((n C - k + log2(n) / 2) / sqrt(n V)): Y. Polyanskiy, H. V. Poor, S. Verdu, IEEE Trans. IT
    56(5), 2010, eq. 296; capacity C and dispersion V are mean and variance of 1 - log2(1 + e^-L).
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    esn0 = k / n * 10 ** (ebn0_db / 10)
    llr = 4 * esn0 + sqrt(8 * esn0) * nodes
    density, weights = 1 - np.logaddexp(0, -llr) / np.log(2), weights / weights.sum()
    mean = float((weights * density).sum())
    variance = float((weights * (density - mean) ** 2).sum())
    return float(q_function((n * mean - k + log2(n) / 2) / sqrt(n * variance)))


def test_list_of_8_and_the_normal_approximation() -> None:
    """(128, 256): above the approximation for 2 dB and below that for 0.75 dB, by 4 sigma."""
    code, blocks = Polar(128, 256), 1200
    info, llrs = send(code, blocks, 2.0)
    decoded = SuccessiveCancellationList(code, 8).decode(llrs)
    wrong = (decoded.info != info).any(-1)
    rate = float(wrong.float().mean())
    spread = 4 * sqrt(rate / blocks)
    best, lower_power = (normal_approximation(128, 256, db) for db in (2.0, 0.75))
    assert best < 0.01 < 0.1 < lower_power < 0.13
    assert best < rate - spread < rate + spread < lower_power
    # About 8 paths try a CRC of 11 bits: a wrong block passes with a probability below 8 / 2048.
    assert int((wrong & decoded.converged).sum()) <= 4
    assert not bool((~wrong & ~decoded.converged).any())


def test_a_list_of_one_is_successive_cancellation() -> None:
    """Two implementations; paths fork at other places, decisions are the same but for ties."""
    code = Polar(60, 128)
    info, llrs = send(code, 600, 3.0)
    plain = SuccessiveCancellation(code).decode(llrs)
    single = SuccessiveCancellationList(code, 1).decode(llrs)
    eight = SuccessiveCancellationList(code, 8).decode(llrs)
    differ = (plain.info != single.info).any(-1)
    assert int(differ.sum()) <= 3
    assert torch.equal(plain.converged[~differ], single.converged[~differ])
    errors = [int((d.info != info).any(-1).sum()) for d in (plain, eight)]
    assert errors[0] > 3 * errors[1] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 19, "n": 64}, "k must be 20 to 1013 for uplink, got 19"),
        ({"k": 1014, "n": 1088}, "k must be 20 to 1013 for uplink, got 1014"),
        ({"k": 141, "n": 400, "direction": "downlink"}, "k must be 12 to 140 for downlink"),
        ({"k": 20, "n": 30}, "n must be 31 .k and 11 CRC bits. to 1088 for uplink, got 30"),
        ({"k": 20, "n": 577, "direction": "downlink"}, "n must be 44 .* to 576 for downlink"),
        ({"k": 20, "n": 64, "direction": "sideways"}, "direction must be uplink or downlink"),
    ],
)
def test_refused_codes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Polar(**arguments)  # type: ignore[arg-type]


def test_refused_list_size() -> None:
    with pytest.raises(ValueError, match="list_size must be 1, 2, 4, 8, 16 or 32, got 3"):
        SuccessiveCancellationList(Polar(20, 40), 3)
