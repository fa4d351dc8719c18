"""The decoder beside sionna's, on the same LLRs (whose sign sionna defines the other way round)."""

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor

from phy.ldpc.belief_propagation import BeliefPropagation
from phy.ldpc.ieee80211n import Ieee80211n
from phy.ldpc.nr import Nr


@pytest.fixture(scope="module")
def sionna_ldpc() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        from sionna.phy.fec import ldpc

    return ldpc


def transmit(coded: Tensor, *, esn0_db: float) -> Tensor:
    """LLRs of QPSK symbols of unit energy, a bit on each axis."""
    generator = torch.Generator().manual_seed(11)
    noise_variance = 10 ** (-esn0_db / 10)
    noise = torch.randn(coded.shape, generator=generator) * (noise_variance / 2) ** 0.5
    received = 0.5**0.5 * (1 - 2 * coded.float()) + noise
    llrs: Tensor = 4 * 0.5**0.5 * received / noise_variance
    return llrs


def assert_as_good(ours: Tensor, theirs: Tensor) -> None:
    """Block errors, bool ``[blocks]`` each, within 4 sigma of the difference of two rates."""
    n, a, b = len(ours), int(ours.sum()), int(theirs.sum())
    p = (a + b) / (2 * n)
    assert 0.01 < p < 0.99
    assert abs(a - b) < 4 * (2 * n * p * (1 - p)) ** 0.5


def test_flooding_sum_product(sionna_ldpc: Any) -> None:
    code = Ieee80211n(648, "1/2")
    graph = code.graph
    ones = np.ones(graph.edges)
    H = scipy.sparse.csr_matrix((ones, (graph.check.numpy(), graph.variable.numpy())))
    generator = torch.Generator().manual_seed(10)
    info = torch.randint(0, 2, (800, code.k), dtype=torch.uint8, generator=generator)
    coded = code.encode(info)
    llrs = transmit(coded, esn0_db=1.5)

    decoder = sionna_ldpc.LDPCBPDecoder(H, cn_update="boxplus-phi", num_iter=20, device="cpu")
    theirs = decoder(-llrs).to(torch.uint8)
    ours = BeliefPropagation(graph, 20).decode(llrs)

    their_success = (graph.syndrome(theirs) == 0).all(-1)
    both = their_success & ours.converged
    assert int(both.sum()) > 600
    assert torch.equal(ours.bits[both], theirs[both])
    assert int((their_success != ours.converged).sum()) < 0.02 * len(info)
    assert_as_good((ours.bits != coded).any(-1), (theirs != coded).any(-1))


def test_nr_with_rate_recovery(sionna_ldpc: Any) -> None:
    code = Nr(500, 1000)
    generator = torch.Generator().manual_seed(10)
    info = torch.randint(0, 2, (300, code.k), dtype=torch.uint8, generator=generator)
    llrs = transmit(code.encode(info), esn0_db=1.2)

    encoder = sionna_ldpc.LDPC5GEncoder(500, 1000, device="cpu")
    decoder = sionna_ldpc.LDPC5GDecoder(encoder, num_iter=20, hard_out=True, device="cpu")
    theirs = decoder(-llrs).to(torch.uint8)
    ours = code.info(BeliefPropagation(code.graph, 20).decode(code.rate_recover(llrs)).bits)

    errors, their_errors = (ours != info).any(-1), (theirs != info).any(-1)
    both = ~errors & ~their_errors
    assert int(both.sum()) > 100
    assert int((errors != their_errors).sum()) < 0.03 * len(info)
    assert_as_good(errors, their_errors)
