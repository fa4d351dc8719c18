import pytest
import torch

from phy.ldpc.ieee80211n import Ieee80211n

ALL = [(n, rate) for n in (648, 1296, 1944) for rate in ("1/2", "2/3", "3/4", "5/6")]


@pytest.mark.parametrize(("n", "rate"), ALL)
def test_every_code(n: int, rate: str) -> None:
    code = Ieee80211n(n, rate)
    top, bottom = map(int, rate.split("/"))
    assert code.k * bottom == n * top
    assert (code.graph.checks, code.graph.variables, code.graph.z) == (n - code.k, n, n // 24)
    generator = torch.Generator().manual_seed(n)
    info = torch.randint(0, 2, (20, code.k), dtype=torch.uint8, generator=generator)
    coded = code.encode(info)
    assert torch.equal(coded[:, : code.k], info)
    assert not code.graph.syndrome(coded).any()
    # Each single information bit is in at least two checks, so that parity follows it.
    ones = code.encode(torch.eye(code.k, dtype=torch.uint8))
    assert not code.graph.syndrome(ones).any()
    assert int(ones.sum(1).min()) > 2


def test_first_row_of_the_standard() -> None:
    # IEEE 802.11n-2009 Table R.1, n = 648, rate 1/2, block row 0: shift 0 in columns 0, 4, 5, 8,
    # 11, 13 and shift 1 in column 12.
    graph = Ieee80211n(648, "1/2").graph
    row = graph.variable[graph.check == 0].tolist()
    assert row == [0, 4 * 27, 5 * 27, 8 * 27, 11 * 27, 12 * 27 + 1, 13 * 27]
    row = graph.variable[graph.check == 26].tolist()
    assert row == [26, 4 * 27 + 26, 5 * 27 + 26, 8 * 27 + 26, 11 * 27 + 26, 12 * 27, 13 * 27 + 26]


def test_equal_codes_share_a_graph() -> None:
    assert Ieee80211n(648, "1/2") == Ieee80211n(648, "1/2")
    assert Ieee80211n(648, "1/2").graph is Ieee80211n(648, "1/2").graph


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"n must be one of \[648, 1296, 1944\], got 640"):
        Ieee80211n(640, "1/2")
    with pytest.raises(ValueError, match=r"rate must be one of 1/2, 2/3, 3/4, 5/6 .*, got '7/8'"):
        Ieee80211n(648, "7/8")
