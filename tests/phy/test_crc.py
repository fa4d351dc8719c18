import warnings
from typing import Any

import pytest
import torch

from phy import crc as crc_module
from phy.bits import pack_integers, unpack_bytes
from phy.crc import Crc, CrcKind
from phy.ragged import Ragged

KINDS: tuple[CrcKind, ...] = ("crc8", "crc16", "crc24a")
EXPONENTS = {
    "crc8": (8, 7, 4, 3, 1, 0),
    "crc16": (16, 12, 5, 0),
    "crc24a": (24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0),
}


def random_bits(length: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (length,), dtype=torch.uint8, generator=generator)


def long_division(bits: list[int], exponents: tuple[int, ...]) -> list[int]:
    """The remainder of a(D) D^L, term by term."""
    width = exponents[0]
    rest = bits + [0] * width
    for i in range(len(bits)):
        if rest[i]:
            for exponent in exponents:
                rest[i + width - exponent] ^= 1
    return rest[len(bits) :]


@pytest.mark.parametrize("kind", KINDS)
def test_is_the_remainder_of_the_division(kind: CrcKind) -> None:
    lengths = [1, 2, 7, 40, 40, 333]
    payloads = [random_bits(length, seed) for seed, length in enumerate(lengths)]
    crc = Crc(kind)
    sent = crc.attach(Ragged.of(payloads))
    assert crc.width == EXPONENTS[kind][0]
    assert sent.lengths == tuple(length + crc.width for length in lengths)
    for payload, word in zip(payloads, sent.split(), strict=True):
        parity = long_division(payload.tolist(), EXPONENTS[kind])
        assert word.tolist() == payload.tolist() + parity


@pytest.mark.parametrize(
    ("kind", "value"), [("crc8", 0xEA), ("crc16", 0x31C3), ("crc24a", 0xCDE703)]
)
def test_published_check_values(kind: CrcKind, value: int) -> None:
    # "check" of CRC-8/LTE, CRC-16/XMODEM and CRC-24/LTE-A in the catalogue of CRC algorithms.
    crc = Crc(kind)
    sent = crc.attach(Ragged.of([unpack_bytes(b"123456789")]))
    assert int(pack_integers(sent.values[72:], width=crc.width)) == value


@pytest.fixture(scope="module")
def sionna_crc() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy.fec.crc import CRCEncoder

    return CRCEncoder


@pytest.mark.parametrize(("kind", "name"), [("crc16", "CRC16"), ("crc24a", "CRC24A")])
def test_equals_sionna(sionna_crc: Any, kind: CrcKind, name: str) -> None:
    bits = random_bits(4 * 1000, seed=7).reshape(4, 1000)
    expected = sionna_crc(name, device="cpu")(bits.float())
    sent = Crc(kind).attach(Ragged(bits.flatten(), (1000,) * 4))
    assert torch.equal(sent.values.reshape(4, -1), expected.to(torch.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: CrcKind) -> None:
    payload = Ragged.of([random_bits(length, length) for length in (0, 5, 0, 100, 5)])
    checked = Crc(kind).check(Crc(kind).attach(payload))
    assert checked.ok.dtype == torch.bool
    assert checked.ok.tolist() == [True] * 5
    assert checked.payload.lengths == payload.lengths
    assert torch.equal(checked.payload.values, payload.values)


@pytest.mark.parametrize("kind", KINDS)
def test_finds_every_burst_up_to_its_width(kind: CrcKind) -> None:
    crc = Crc(kind)
    word = crc.attach(Ragged.of([random_bits(50, seed=3)])).values
    bursts = []
    for length in range(1, crc.width + 1):
        for start in range(len(word) - length + 1):
            hit = word.clone()
            hit[start] ^= 1
            hit[start + length - 1] ^= length > 1
            hit[start + 1 : start + length - 1] ^= random_bits(max(length - 2, 0), seed=start)
            bursts.append(hit)
    assert not crc.check(Ragged.of(bursts)).ok.any()


def test_each_sequence_is_judged_alone() -> None:
    crc = Crc("crc16")
    sent = crc.attach(Ragged.of([random_bits(20, seed) for seed in range(4)]))
    values = sent.values.clone()
    values[36 * 2 + 3] ^= 1
    assert crc.check(Ragged(values, sent.lengths)).ok.tolist() == [True, True, False, True]


def test_no_sequences() -> None:
    none = Ragged(torch.zeros(0, dtype=torch.uint8), ())
    assert Crc("crc16").attach(none).lengths == ()
    assert Crc("crc16").check(none).ok.shape == (0,)


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of .*'crc8'.*, got 'crc32'"):
        Crc("crc32")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lengths must be at most 16777216 bits, got 16777217"):
        Crc("crc16").attach(Ragged(torch.zeros(2**24 + 1, dtype=torch.uint8), (2**24 + 1,)))
    with pytest.raises(ValueError, match="lengths must be at least 16, the width of crc16, got 15"):
        Crc("crc16").check(Ragged.of([random_bits(20, 1), random_bits(15, 2)]))


@pytest.mark.parametrize("kind", KINDS)
def test_kernel_and_tensors_agree(kind: CrcKind, monkeypatch: pytest.MonkeyPatch) -> None:
    crc = Crc(kind)
    payload = Ragged.of([random_bits(length, length) for length in (0, 1, 7, 8, 9, 1000, 1003)])
    sent = crc.attach(payload)
    hit = Ragged(sent.values.clone(), sent.lengths)
    hit.values[[0, 500, 2000]] ^= 1
    ok = crc.check(hit).ok
    assert ok.tolist() == [False, True, True, True, True, False, False]
    monkeypatch.setattr(crc_module, "on_host", lambda *_: False)
    assert torch.equal(crc.attach(payload).values, sent.values)
    assert torch.equal(crc.check(hit).ok, ok)
