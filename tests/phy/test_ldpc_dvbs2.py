import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from phy.bits import pack_bytes
from phy.ldpc.dvbs2 import DvbS2

RATES = ("1/4", "1/3", "2/5", "1/2", "3/5", "2/3", "3/4", "4/5", "5/6", "8/9")
ALL = [(64800, rate) for rate in (*RATES, "9/10")] + [(16200, rate) for rate in RATES]
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "dvbs2_codewords.json").read_text())[
    "codewords"
]


def golden_info(k: int) -> Tensor:
    i = torch.arange(k)
    return ((i * i + 3 * i + 1) % 11 < 5).to(torch.uint8)


@pytest.mark.parametrize(("n", "rate"), ALL)
def test_every_code(n: int, rate: str) -> None:
    code = DvbS2(n, rate)
    graph = code.graph
    assert (graph.checks, graph.variables, graph.z) == (n - code.k, n, 360)
    generator = torch.Generator().manual_seed(n)
    info = torch.randint(0, 2, (3, code.k), dtype=torch.uint8, generator=generator)
    coded = code.encode(info)
    assert torch.equal(coded[:, : code.k], info)
    assert not graph.syndrome(coded).any()
    # n - k = 360 q parity bits; every one is in two checks but the last.
    assert code.k % 360 == (n - code.k) % 360 == 0
    degrees = graph.variable.bincount(minlength=n)[code.k :]
    assert degrees.tolist() == [2] * (n - code.k - 1) + [1]


@pytest.mark.parametrize("name", GOLDEN)
def test_published_codewords(name: str) -> None:
    n, rate = name.split("_")
    code = DvbS2(int(n), rate)
    word = code.encode(golden_info(code.k))
    digest, weight = GOLDEN[name]
    assert hashlib.sha256(pack_bytes(word)).hexdigest()[:32] == digest
    assert int(word[code.k :].sum()) == weight


def test_encoding_rule_of_the_clause() -> None:
    # 5.3.2.1 bit by bit, with the addresses of Annex C, n = 16200, rate 8/9: q = 5.
    code = DvbS2(16200, "8/9")
    rows = [[0, 1558, 712, 805], [1, 1450, 873, 1337]]
    info = torch.zeros(code.k, dtype=torch.uint8)
    info[[0, 1, 359, 360]] = 1
    parity = [0] * 1800
    for row, m in ((rows[0], 0), (rows[0], 1), (rows[0], 359), (rows[1], 0)):
        for x in row:
            parity[(x + m * 5) % 1800] ^= 1
    for i in range(1, 1800):
        parity[i] ^= parity[i - 1]
    assert code.encode(info)[code.k :].tolist() == parity


def test_block_rows_touch_each_group_evenly() -> None:
    # A block row is made of circulants: its 360 checks have one degree (but for check 0 = p_0).
    graph = DvbS2(16200, "1/2").graph
    degrees = graph.check.bincount().reshape(-1, 360)
    degrees[0, 0] += 1
    assert torch.equal(degrees, degrees[:, :1].expand_as(degrees))


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"n must be one of \[16200, 64800\], got 32400"):
        DvbS2(32400, "1/2")
    with pytest.raises(ValueError, match=r"rate must be one of 1/4, .* for n = 16200, got '9/10'"):
        DvbS2(16200, "9/10")
