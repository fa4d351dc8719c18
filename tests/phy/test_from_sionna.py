"""The border to sionna: loaded late, without traces in torch's generators, and with one sign."""

import subprocess
import sys

import pytest
import torch

from phy.from_sionna import LLR_LIMIT, load, to_logits

LATE = """
import sys
import phy.fec, phy.ofdm, transceiver.build
from phy.fec import Polar, SuccessiveCancellation
SuccessiveCancellation(Polar(20, 40))
assert "sionna" not in sys.modules
import torch
torch.manual_seed(1)
before = torch.get_rng_state()
from phy.from_sionna import load
load("sionna.phy.fec.conv")
assert torch.equal(before, torch.get_rng_state())
print("sionna" in sys.modules)
"""


def test_loaded_when_used_and_without_a_trace() -> None:
    """Its import reseeds torch's global generator; nobody who loads it here sees that."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LATE], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"


def test_unknown_module() -> None:
    with pytest.raises(ImportError, match="nothing"):
        load("sionna.phy.nothing")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sign_and_limit(dtype: torch.dtype) -> None:
    inf = float("inf")
    llrs = torch.tensor([[3.0, -0.25, 0.0], [inf, -inf, 1e30]], dtype=dtype)
    expected = torch.tensor([[-3.0, 0.25, 0.0], [-LLR_LIMIT, LLR_LIMIT, -LLR_LIMIT]], dtype=dtype)
    assert torch.equal(to_logits(llrs), expected)
    assert to_logits(llrs).dtype == dtype


def test_refused_llrs() -> None:
    with pytest.raises(ValueError, match=r"llrs must be float32 or float64, got torch\.int64"):
        to_logits(torch.ones(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="llrs must be numbers, got NaN"):
        to_logits(torch.tensor([1.0, float("nan")]))
