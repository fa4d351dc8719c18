"""Tensors as NumPy arrays for kernels: the same memory, where a kernel can work on it."""

from typing import Any

from numpy.typing import NDArray
from torch import Tensor


def on_host(*tensors: Tensor) -> bool:
    """Whether kernels can take over: all tensors are on the CPU, and none wants a gradient.

    >>> import torch
    >>> on_host(torch.zeros(2)), on_host(torch.zeros(2, requires_grad=True))
    (True, False)
    """
    return all(x.device.type == "cpu" and not x.requires_grad for x in tensors)


def array(tensor: Tensor) -> NDArray[Any]:
    """The elements as a contiguous array: a view, or a copy where they are not contiguous.

    >>> import torch
    >>> array(torch.tensor([1j]).conj())
    array([0.-1.j], dtype=complex64)
    """
    view: NDArray[Any] = tensor.resolve_conj().resolve_neg().contiguous().numpy()
    return view
