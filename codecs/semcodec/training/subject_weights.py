"""Weights of a network in training: those that it begins from, and those that it leaves."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from semcodec import weights

Network = TypeVar("Network", bound=nn.Module)


def fresh(make: Callable[[], Network], *, seed: int, start: Path | None) -> Network:
    """A network from the seed, channels last, with all tensors of ``start`` that fit."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start is not None:
        take_common(network, start)
    return network


@torch.no_grad()
def take_common(network: nn.Module, start: Path) -> int:
    """Copy the tensors of a weights file that the network has too, in name and shape; how many."""
    state, taken = network.state_dict(), 0
    for name, tensor in weights.load(start, model=None).tensors.items():
        if name in state and state[name].shape == tensor.shape:
            state[name].copy_(tensor)
            taken += 1
    return taken


def save_network(
    path: Path,
    network: nn.Module,
    model: str,
    config: Mapping[str, Any],
    training: Mapping[str, Any],
) -> None:
    """Write weights without what only training needs."""
    tensors = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name.rsplit(".", 1)[-1] not in ("counts", "sums", "num_batches_tracked")
    }
    weights.save(path, tensors, model=model, config=dict(config), training=training)
