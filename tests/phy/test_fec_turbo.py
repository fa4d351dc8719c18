"""Turbo codes: TS 36.212 by hand, exact decoding of short blocks, and the waterfall."""

from math import sqrt

import pytest
import torch
from torch import Tensor

from phy.fec import Turbo, TurboDecoder

# TS 36.212 table 5.1.3-3: f1 and f2 of pi(i) = (f1 i + f2 i^2) mod k.
QPP = {40: (3, 10), 512: (31, 64), 1024: (31, 64)}


def component(bits: list[int]) -> tuple[list[int], list[int]]:
    """TS 36.212 clause 5.1.3.2.1: parity bits of k bits; systematic and parity bits of the tail.

    g0 = 1 + D^2 + D^3 feeds back, g1 = 1 + D + D^3 is sent.
    """
    a = b = c = 0
    parity, tail = [], []
    for bit in bits:
        new = bit ^ b ^ c
        parity.append(new ^ a ^ c)
        a, b, c = new, a, b
    for _ in range(3):
        tail += [b ^ c, a ^ c]
        a, b, c = 0, a, b
    return parity, tail


@pytest.mark.parametrize("k", QPP)
def test_lte_encoder_by_hand(k: int) -> None:
    generator = torch.Generator().manual_seed(k)
    info = torch.randint(2, (k,), generator=generator, dtype=torch.uint8)
    bits = info.tolist()
    f1, f2 = QPP[k]
    first, tail1 = component(bits)
    second, tail2 = component([bits[(f1 * i + f2 * i * i) % k] for i in range(k)])
    thirds = [bit for triple in zip(bits, first, second, strict=True) for bit in triple]
    assert Turbo(k).encode(info).tolist() == thirds + tail1 + tail2
    assert Turbo(k).n == 3 * k + 12
    open_end = Turbo(k, terminate=False)
    assert open_end.encode(info).tolist() == thirds
    half = Turbo(k, rate="1/2", terminate=False).encode(info).reshape(-1, 4)
    assert half.flatten().tolist() == [
        bit for i in range(0, 3 * k, 6) for bit in (*thirds[i : i + 2], *thirds[i + 3 : i + 6 : 2])
    ]


@pytest.mark.parametrize("length", [3, 4, 5, 6])
@pytest.mark.parametrize("rate", ["1/3", "1/2"])
@pytest.mark.parametrize("terminate", [True, False])
def test_lengths_of_every_code(length: int, rate: str, terminate: bool) -> None:
    for k in (40, 53):
        code = Turbo(k, rate=rate, constraint_length=length, terminate=terminate)  # type: ignore[arg-type]
        info = torch.arange(k).remainder(3).eq(1).to(torch.uint8)
        coded = code.encode(info)
        assert coded.shape == (code.n,)
        decoded = TurboDecoder(code, 2, "max_log").decode(2.0 - 4.0 * coded)
        assert torch.equal(decoded.info, info)


def send(code: Turbo, blocks: int, ebn0_db: float) -> tuple[Tensor, Tensor]:
    """Information bits and the LLRs of BPSK over white Gaussian noise."""
    generator = torch.Generator().manual_seed(2)
    info = torch.randint(2, (blocks, code.k), generator=generator, dtype=torch.uint8)
    esn0 = code.k / code.n * 10 ** (ebn0_db / 10)
    noise = torch.randn(blocks, code.n, generator=generator) / sqrt(2 * esn0)
    return info, 4 * esn0 * (1 - 2 * code.encode(info).float() + noise)


def test_waterfall() -> None:
    """k = 1024, rate 1/3, 5 iterations: it falls within half a decibel, about 0.5 dB.

    No code of rate 1/3 works below -0.5 dB (the capacity of binary inputs); a good turbo code of
    this length comes within 1.5 dB of it (C. Berrou, A. Glavieux, IEEE Trans. COM 44(10), 1996).
    """
    code = Turbo(1024)
    low, high = send(code, 16, 0.2), send(code, 48, 1.0)
    decoded = TurboDecoder(code, 5).decode(torch.cat([low[1], high[1]]))
    assert decoded.iterations.tolist() == [5] * 64
    wrong = (decoded.info != torch.cat([low[0], high[0]])).any(-1)
    assert int(wrong[:16].sum()) >= 5
    assert int(wrong[16:].sum()) <= 2


def test_iterations_and_exact_sums_help() -> None:
    """Block errors in the order of theory: 1 iteration, max-log, exact; uncoded far behind."""
    code = Turbo(200)
    info, llrs = send(code, 80, 1.2)
    decoders = (TurboDecoder(code, 1), TurboDecoder(code, 5, "max_log"), TurboDecoder(code, 5))
    once, approximate, exact = (int((d.decode(llrs).info != info).sum()) for d in decoders)
    uncoded = int(((llrs[:, : 3 * code.k : 3] < 0) != info.bool()).sum())
    assert uncoded > 2 * once > 4 * approximate > 4 * exact


def test_max_log_does_not_depend_on_the_scale() -> None:
    code = Turbo(64)
    _, llrs = send(code, 10, 0.0)
    decoder = TurboDecoder(code, 2, "max_log")
    small = llrs / 64  # so small that the limit of the extrinsic LLRs plays no part
    assert torch.equal(decoder.decode(small).info, decoder.decode(small / 4).info)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 39}, "k must be 40 to 6144, got 39"),
        ({"k": 6145}, "k must be 40 to 6144, got 6145"),
        ({"k": 40, "rate": "1/4"}, "rate must be 1/3 or 1/2, got '1/4'"),
        ({"k": 40, "constraint_length": 7}, "constraint_length must be 3 to 6, got 7"),
    ],
)
def test_refused_codes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Turbo(**arguments)  # type: ignore[arg-type]


def test_refused_decoders() -> None:
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        TurboDecoder(Turbo(40), 0)
    with pytest.raises(ValueError, match="algorithm must be map or max_log, got 'maxlog'"):
        TurboDecoder(Turbo(40), 5, "maxlog")  # type: ignore[arg-type]
