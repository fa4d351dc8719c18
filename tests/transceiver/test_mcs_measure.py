"""Block errors of a mode: against the blocks put together by hand, and the laws of counting."""

from math import log10, sqrt
from typing import Any

import pytest
import torch

from phy.cross_qam import cross_qam
from phy.ldpc import Ieee80211n, two_tier
from phy.noise import standard_complex_normal
from phy.psk import bpsk, psk8, qpsk
from phy.qam import qam
from phy.theory import constellation_capacity
from transceiver.build_modes import skeleton
from transceiver.link import Link
from transceiver.mcs.measure import Tally, carry, limit_esn0_db
from transceiver.mcs.table import Family
from transceiver.streams import stream


def link_of(**mode: Any) -> Link:
    start = {
        "modulation": {"kind": "qam", "order": 16},
        "code": {"kind": "ieee80211n", "n": 648, "rate": "1/2"},
    }
    family = Family.model_validate({"family": "test", "modes": [start | mode]})
    return skeleton(family.modes[0].phy(family.decoder), "mean_colour")


@pytest.mark.parametrize("esn0_db", [5.5, 6.0, 6.5])
def test_the_errors_are_those_of_the_chain_by_hand(esn0_db: float) -> None:
    """Encoder, mapper, noise, demapper, decoder, with the same bits and noise."""
    found = carry(link_of(), esn0_db, most_blocks=192, most_errors=192, seed=5)
    name = {"point": 0, "image": 0, "trial": 0}
    code, noise_variance = Ieee80211n(648, "1/2"), 10 ** (-esn0_db / 10)
    info = torch.randint(
        2, (192, 324), generator=stream(5, **name, purpose="payload"), dtype=torch.uint8
    )
    symbols = qam(16).map(code.encode(info).reshape(-1))
    noise = standard_complex_normal(len(symbols), generator=stream(5, **name, purpose="noise"))
    received = symbols + sqrt(noise_variance) * noise
    llrs = qam(16).demap(received, noise_variance).reshape(192, 648)
    decoded = two_tier(code.graph, iterations=50).decode(llrs)
    wrong = int((code.info(decoded.bits) != info).any(1).sum())
    assert found == Tally(wrong, 192)
    assert 0 < wrong < 192


def test_errors_fall_with_the_same_noise() -> None:
    link = link_of()
    rising = [
        carry(link, esn0_db, most_blocks=300, most_errors=300, seed=2).block_errors
        for esn0_db in (4.0, 5.5, 6.0, 6.5, 9.0)
    ]
    assert rising == sorted(rising, reverse=True)
    assert (rising[0], rising[-1]) == (300, 0)
    again = carry(link, 6.0, most_blocks=300, most_errors=300, seed=2)
    assert again == Tally(rising[2], 300)
    assert carry(link, 6.0, most_blocks=300, most_errors=300, seed=3) != again


def test_it_stops_once_the_target_is_missed() -> None:
    """A frame holds 2**21 coded bits, 3200 blocks of 648; the verdict is that of all blocks."""
    link = link_of(modulation={"kind": "psk", "order": 2})
    assert carry(link, -9.0, most_blocks=5000, most_errors=9, seed=1) == Tally(3200, 3200)
    assert carry(link, -9.0, most_blocks=3300, most_errors=3200, seed=1) == Tally(3300, 3300)
    assert carry(link, 4.0, most_blocks=3300, most_errors=0, seed=1) == Tally(0, 3300)


@pytest.mark.parametrize(
    ("constellation", "bits"),
    [(bpsk(), 0.5), (qpsk(), 1.5), (psk8(), 2.0), (qam(16), 3.0), (cross_qam(32), 3.75)],
)
def test_the_limit_inverts_the_capacity(constellation: Any, bits: float) -> None:
    limit = limit_esn0_db(constellation, bits)
    assert float(constellation_capacity(constellation, limit)) == pytest.approx(bits, abs=1e-5)
    assert limit > 10 * log10(2**bits - 1)  # Shannon's limit lies below that of any constellation


def test_bpsk_needs_half_the_energy_of_qpsk() -> None:
    for rate in (1 / 3, 1 / 2, 5 / 6):
        apart = limit_esn0_db(qpsk(), 2 * rate) - limit_esn0_db(bpsk(), rate)
        assert apart == pytest.approx(10 * log10(2), abs=1e-4)
