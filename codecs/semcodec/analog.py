"""Values of an analog codec as complex symbols of unit mean energy.

Source: Bourtsoulatze, Burth Kurka and Gunduz, "Deep joint source-channel coding for wireless image
transmission", IEEE Trans. Cogn. Commun. Netw. 5 (2019), eq. 3.
"""

import torch
from torch import Tensor

_LEAST_POWER = 1e-12


def unit_power(values: Tensor) -> Tensor:
    """Values ``[B, n]`` scaled to a mean square of 1/2 for each picture; differentiable.

    Two of them make a symbol, whose mean energy is then 1. Values that are all 0 stay 0.

    >>> unit_power(torch.tensor([[3.0, 4.0, 0.0, 0.0]])).square().mean()
    tensor(0.5000)
    """
    power = values.square().mean(1, keepdim=True).clamp(min=_LEAST_POWER)
    return values * (0.5 / power).sqrt()


def to_symbols(values: Tensor) -> Tensor:
    """Complex symbols ``[n/2]``: value 2 k is the real and 2 k + 1 the imaginary part of symbol k.

    Raises:
        ValueError: n is odd.

    >>> to_symbols(torch.tensor([1.0, 2.0, 3.0, 4.0])).tolist()
    [(1+2j), (3+4j)]
    """
    if values.dim() != 1 or values.numel() % 2:
        raise ValueError(f"values must be [n] with an even n, got {list(values.shape)}")
    return torch.view_as_complex(values.reshape(-1, 2).contiguous())


def from_symbols(symbols: Tensor) -> Tensor:
    """The inverse of `to_symbols`: values ``[2 n]`` of symbols ``[n]``.

    >>> from_symbols(torch.tensor([1 + 2j, 3 + 4j])).tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    return torch.view_as_real(symbols.resolve_conj()).reshape(-1)
