"""Random numbers for channels: the first n of a longer draw are the draw of n.

So the noise that a symbol meets depends on its place in its stream and on nothing else: two
systems that send different numbers of symbols from equal seeds share the noise of the common
part. The values are drawn on the CPU, whatever the device they go to, so that they do not depend
on it either.
"""

import torch
from torch import Tensor

_BLOCK = 16
"""torch transforms normal values on the CPU in blocks of 16 and handles a rest differently."""


def standard_complex_normal(
    count: int, *, generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draw from CN(0, 1): E|n|^2 = 1, real and imaginary parts N(0, 1/2), independent.

    The parts are consecutive values of ``torch.randn``, divided by sqrt(2). Those are made of
    24-bit uniform values, so no part exceeds 4.1: enough for error rates down to about 1e-8.

    Args:
        count: Number of values, >= 0.
        generator: A CPU generator; drawn values advance it.
        device: Where the values go; None stays on the CPU.

    Returns:
        complex64 ``[count]``.

    Raises:
        ValueError: A negative count, or a generator on another device.

    >>> short, long = (
    ...     standard_complex_normal(n, generator=torch.Generator().manual_seed(1)) for n in (3, 99)
    ... )
    >>> torch.equal(short, long[:3])
    True
    """
    _check(count, generator)
    parts = torch.empty(2 * count + -2 * count % _BLOCK)
    parts.normal_(0, 0.5**0.5, generator=generator)
    return torch.view_as_complex(parts[: 2 * count].reshape(-1, 2)).to(device)


def uniform(
    count: int, *, generator: torch.Generator, device: torch.device | None = None
) -> Tensor:
    """Draw uniformly from [0, 1), in multiples of 2**-24.

    Args:
        count: Number of values, >= 0.
        generator: A CPU generator; drawn values advance it.
        device: Where the values go; None stays on the CPU.

    Returns:
        float32 ``[count]``.

    Raises:
        ValueError: A negative count, or a generator on another device.

    >>> uniform(2, generator=torch.Generator().manual_seed(0))
    tensor([0.4963, 0.7682])
    """
    _check(count, generator)
    return torch.rand(count + -count % _BLOCK, generator=generator)[:count].to(device)


def _check(count: int, generator: torch.Generator) -> None:
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    if generator.device.type != "cpu":
        raise ValueError(f"generator must be on the CPU, got {generator.device}")
