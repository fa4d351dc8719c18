"""Theory beside the curves, against closed forms, and absent where it does not apply."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from scipy.special import exp1

from transceiver.html.theory import Theory, constellation_of, theory_of
from transceiver.results import Row, rows
from transceiver.scenario import parse
from transceiver.store import Store


def row(value: float, esn0_db: float, ebn0_db: float) -> Row:
    """Of a result only where it lies plays a part."""

    class Place:
        pass

    found: Any = Place()
    found.value, found.esn0_db, found.ebn0_db = value, esn0_db, ebn0_db
    return found  # type: ignore[no-any-return]


def curves(data: dict[str, Any], codec: str = "bits") -> Theory | None:
    return theory_of(parse(data), codec, [row(0.0, 3.0, 0.0), row(6.0, 9.0, 6.0)])


def test_qpsk_over_awgn(finished: Store) -> None:
    own = [r for r in rows(finished) if r.codec == "vq"]
    found = theory_of(finished.scenario, "vq", own)
    assert found is not None
    assert (found.value[0], found.value[-1]) == (0.5, 2.0)
    assert found.esn0_db == found.value
    for esn0_db, ber, capacity, bicm in zip(
        found.esn0_db, found.ber, found.capacity, found.bicm, strict=True
    ):
        esn0 = 10 ** (esn0_db / 10)
        assert ber == pytest.approx(math.erfc((esn0 / 2) ** 0.5) / 2)
        assert capacity == pytest.approx(math.log2(1 + esn0))
        assert bicm < min(2, capacity)


def test_rayleigh(bits: Callable[..., dict[str, Any]]) -> None:
    sweep = {"ebn0_db": [0.0, 6.0]}
    data = bits(**{"phy.channel": {"kind": "rayleigh", "fading": "symbol"}, "sweep": sweep})
    found = curves(data)
    assert found is not None
    assert (found.value[0], found.esn0_db[0], found.ebn0_db[-1]) == (0.0, 3.0, 6.0)
    esn0 = 10**0.3
    assert found.ber[0] == pytest.approx((1 - math.sqrt(esn0 / (2 + esn0))) / 2)
    ergodic = math.exp(1 / esn0) * float(exp1(1 / esn0)) / math.log(2)
    assert found.capacity[0] == pytest.approx(ergodic)
    assert found.bicm == ()


def test_psk_has_fewer_points_of_integration(bits: Callable[..., dict[str, Any]]) -> None:
    found = curves(bits(**{"phy.modulation": {"kind": "psk", "order": 8}}))
    assert found is not None
    assert len(found.ber) == len(found.value) == 21
    assert list(found.ber) == sorted(found.ber, reverse=True)


def test_bsc(bits: Callable[..., dict[str, Any]]) -> None:
    data = bits(**{"phy.channel.kind": "bsc", "sweep": {"flip_probability": [0.01, 0.11]}})
    places = [row(0.11, math.nan, math.nan), row(0.01, math.nan, math.nan)]
    found = theory_of(parse(data), "bits", places)
    assert found is not None
    assert found.ber == found.value
    assert found.capacity[-1] == pytest.approx(0.5, abs=1e-4)  # h(0.11) is about one half
    assert all(map(math.isnan, found.esn0_db))
    assert constellation_of(parse(data), "bits") is None


def test_no_error_rate_where_symbols_follow_a_plan(small: Callable[..., dict[str, Any]]) -> None:
    scenario = parse(small(**{"codecs.system.plan": {"kind": "jcamp"}}))
    assert constellation_of(scenario, "system") is None
    found = theory_of(scenario, "system", [row(2.0, 8.0, 8.0), row(14.0, 20.0, 20.0)])
    assert found is not None
    assert found.ber == ()
    assert len(found.capacity) == len(found.value)
    assert theory_of(scenario, "system", []) is None
    fixed = constellation_of(parse(small()), "system")
    assert fixed is not None
    assert fixed.name == "16-qam"
