"""Convolutional codes: shift registers by hand, another library, and the union bound."""

from math import sqrt

import numpy as np
import pytest
import torch
from commpy.channelcoding import Trellis, conv_encode, viterbi_decode

from phy.fec import Convolutional, Viterbi
from phy.theory import q_function

# Octal, the newest bit first.
POLYNOMIALS = {
    ("1/2", 3): (0o5, 0o7),
    ("1/2", 4): (0o15, 0o13),
    ("1/2", 5): (0o23, 0o33),
    ("1/2", 6): (0o65, 0o57),
    ("1/2", 7): (0o133, 0o171),
    ("1/2", 8): (0o345, 0o237),
    ("1/3", 3): (0o5, 0o7, 0o7),
    ("1/3", 7): (0o171, 0o145, 0o133),
}


@pytest.mark.parametrize(("rate", "length"), POLYNOMIALS)
@pytest.mark.parametrize("terminate", [True, False])
def test_shift_register_by_hand(rate: str, length: int, terminate: bool) -> None:
    code = Convolutional(23, rate=rate, constraint_length=length, terminate=terminate)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(length)
    info = torch.randint(2, (code.k,), generator=generator, dtype=torch.uint8)
    register, expected = 0, []
    for bit in info.tolist() + [0] * (length - 1 if terminate else 0):
        register = register >> 1 | bit << length - 1
        expected += [(register & g).bit_count() % 2 for g in POLYNOMIALS[rate, length]]
    assert code.encode(info).tolist() == expected
    assert code.n == len(expected)


@pytest.mark.parametrize("rate", ["1/2", "1/3"])
def test_free_distances(rate: str) -> None:
    """The least weight of a codeword, among those of all 12-bit information words.

    The largest there are: 5 6 7 8 10 10 and 8 10 12 13 15 16 (J. G. Proakis, Digital
    Communications, tables 8.2-1 and 8.2-2); the code of rate 1/3 and length 7 has one less.
    """
    found = []
    for length in range(3, 9):
        code = Convolutional(12, rate=rate, constraint_length=length)  # type: ignore[arg-type]
        every = (torch.arange(1, 4096)[:, None] >> torch.arange(12) & 1).to(torch.uint8)
        found.append(int(code.encode(every).sum(-1, dtype=torch.int64).min()))
    assert found == ([5, 6, 7, 8, 10, 10] if rate == "1/2" else [8, 10, 12, 13, 14, 16])


def test_against_another_library() -> None:
    """scikit-commpy: the same codewords; its soft decisions never find a likelier one."""
    # Its polynomials begin with the oldest bit: 1011011 and 1111001 backwards.
    trellis = Trellis(np.array([6]), np.array([[0o155, 0o117]]))
    code = Convolutional(60, terminate=False)
    generator = torch.Generator().manual_seed(0)
    info = torch.randint(2, (12, 60), generator=generator, dtype=torch.uint8)
    coded = code.encode(info)
    for row, word in zip(info.numpy(), coded.numpy(), strict=True):
        assert np.array_equal(conv_encode(row, trellis, termination="cont"), word)
    received = 1 - 2 * coded.double() + 0.9 * torch.randn(coded.shape, generator=generator)
    ours = Viterbi(code).decode(received).info
    # Its metric takes +1 for a 1, and it decides the last bits without all of the metrics.
    options = {"tb_depth": 60, "decoding_type": "unquantized"}
    found = [viterbi_decode(-signal, trellis, **options)[:60] for signal in received.numpy()]
    theirs = torch.from_numpy(np.stack(found)).to(torch.uint8)
    likelihood = [((1 - 2.0 * code.encode(word)) * received).sum(-1) for word in (ours, theirs)]
    assert bool((likelihood[0] >= likelihood[1]).all())
    same = (ours == theirs)[:, :40].all(-1)
    assert int(same.sum()) >= 6
    assert int((ours != info).sum()) > 0


def test_maximum_likelihood() -> None:
    """Against all 1024 codewords of a short code."""
    code = Convolutional(10, rate="1/3", constraint_length=4)
    generator = torch.Generator().manual_seed(4)
    every = (torch.arange(1024)[:, None] >> torch.arange(9, -1, -1) & 1).to(torch.uint8)
    sign = 1 - 2 * code.encode(every).double()
    llrs = torch.randn(200, code.n, generator=generator, dtype=torch.float64) + 0.5
    assert torch.equal(Viterbi(code).decode(llrs).info, every[(llrs @ sign.T).argmax(-1)])


def test_bit_error_rate_and_the_union_bound() -> None:
    """(133, 171) at 3 dB: sum of c_d Q(sqrt(2 d R Eb/N0)) is an upper bound, and tight to 3.

    The weights c_d: P. Frenger, P. Orten, T. Ottosson, "Convolutional codes with optimum distance
    spectrum", IEEE Commun. Lett. 3(11), 1999, for the code of free distance 10.
    """
    weights = {10: 36, 12: 211, 14: 1404, 16: 11633, 18: 77433, 20: 502690, 22: 3322763}
    code, blocks = Convolutional(200), 2000
    generator = torch.Generator().manual_seed(1)
    info = torch.randint(2, (blocks, code.k), generator=generator, dtype=torch.uint8)
    esn0 = code.k / code.n * 10**0.3
    noise = torch.randn(blocks, code.n, generator=generator) / sqrt(2 * esn0)
    llrs = 4 * esn0 * (1 - 2 * code.encode(info).float() + noise)
    rates = (Viterbi(code).decode(llrs).info != info).double().mean(-1)
    bound = sum(c * float(q_function(sqrt(2 * d * esn0))) for d, c in weights.items())
    ber, spread = float(rates.mean()), 4 * float(rates.std()) / sqrt(blocks)
    uncoded = float(q_function(sqrt(2 * 10**0.3)))
    assert bound < uncoded / 20
    assert ber - spread < bound
    assert ber + spread > bound / 3
    assert ber + spread < uncoded / 10


def test_the_open_end_is_weaker() -> None:
    """The last bits of an unterminated block fail most; with termination they fail least."""
    rates = {}
    for terminate in (True, False):
        code = Convolutional(40, constraint_length=5, terminate=terminate)
        generator = torch.Generator().manual_seed(1)
        info = torch.randint(2, (3000, code.k), generator=generator, dtype=torch.uint8)
        received = 1 - 2 * code.encode(info).float()
        received += 0.8 * torch.randn(received.shape, generator=generator)
        rates[terminate] = (Viterbi(code).decode(received).info != info).double().mean(0)
    assert float(rates[False][-1]) > 3 * float(rates[False][10:30].mean())
    assert float(rates[True][-1]) < float(rates[True][10:30].mean())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be 1 to 16384, got 0"),
        ({"k": 16385}, "k must be 1 to 16384, got 16385"),
        ({"k": 10, "rate": "2/3"}, "rate must be 1/2 or 1/3, got '2/3'"),
        ({"k": 10, "constraint_length": 9}, "constraint_length must be 3 to 8, got 9"),
    ],
)
def test_refused_codes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Convolutional(**arguments)  # type: ignore[arg-type]
