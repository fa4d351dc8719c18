"""sionna, the open-source library for link-level simulation, as far as this package uses it.

It takes seconds to import and reseeds torch's global generators when it is: it is loaded when a
block that needs it is first used, and the generators keep their state. Nothing here changes
sionna's configuration, and no part used draws random numbers from it.
"""

import importlib
import warnings
from functools import cache
from typing import Any

import torch
from torch import Tensor

from phy.arrays import Llrs

LLR_LIMIT = 1e3
"""Largest magnitude of an LLR that sionna's decoders are given."""


@cache
def load(module: str) -> Any:
    """A module of sionna by its dotted name; ``ImportError`` where there is none.

    >>> load("sionna.phy.fec.crc").CRCEncoder("CRC11", k=20, device="cpu").crc_length
    11
    """
    gpus = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=gpus), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the import alone
        return importlib.import_module(module)


def to_logits(llrs: Llrs) -> Tensor:
    """LLRs with sionna's sign, ln P(b = 1) / P(b = 0): the one place where it is turned.

    Its decoders add, multiply and exponentiate what they get, so that infinite LLRs would make
    NaN of them. Magnitudes are limited to `LLR_LIMIT`, which stands for certainty: an error
    probability of exp(-1000).

    Args:
        llrs: ln P(b = 0) / P(b = 1), real ``[...]``; infinite ones are allowed.

    Returns:
        The same type and shape, positive = 1.

    Raises:
        ValueError: Not float32 or float64, or an LLR that is no number.

    >>> to_logits(torch.tensor([2.0, float("-inf")]))
    tensor([  -2., 1000.])
    """
    if llrs.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"llrs must be float32 or float64, got {llrs.dtype}")
    if bool(llrs.isnan().any()):
        raise ValueError("llrs must be numbers, got NaN")
    return -llrs.clamp(-LLR_LIMIT, LLR_LIMIT)
