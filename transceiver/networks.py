"""The number of threads on which networks compute: one, so that no row depends on it.

A convolution or a matrix product on several threads may add in another order than on one, and the
last digit of a value, or an index, may change with it. Processes (`--jobs`) share the work instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

NETWORK_THREADS = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """Give torch one thread within; also as a decorator.

    >>> before = torch.get_num_threads()
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    if before == NETWORK_THREADS:
        yield
        return
    torch.set_num_threads(NETWORK_THREADS)
    try:
        yield
    finally:
        torch.set_num_threads(before)
