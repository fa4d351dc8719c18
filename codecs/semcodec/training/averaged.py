"""A running mean of a network's weights: what is exported instead of the last ones.

Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with
the exponential weights of Izmailov et al. (2018) and later practice.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Averaged:
    """w' <- d w' + (1 - d) w after every step, d rising from 0 to ``decay`` in the first steps.

    Only floating-point parameters are averaged; buffers (codebooks, running statistics) are
    running means themselves and are taken as they are.
    """

    def __init__(self, network: nn.Module, *, decay: float = 0.999) -> None:
        """Begin with the network's weights."""
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self._network, self._decay, self._steps = network, decay, 0
        self._mean = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for name, parameter in self._network.named_parameters():
            self._mean[name].lerp_(parameter.detach(), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network with the mean weights; those of training come back afterwards."""
        kept = {name: p.detach().clone() for name, p in self._network.named_parameters()}
        self._assign(self._mean)
        try:
            yield
        finally:
            self._assign(kept)

    @torch.no_grad()
    def _assign(self, values: Mapping[str, Tensor]) -> None:
        for name, parameter in self._network.named_parameters():
            parameter.copy_(values[name])

    def state_dict(self) -> dict[str, object]:
        """Mean and number of steps."""
        return {"mean": self._mean, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """The inverse of `state_dict`."""
        mean, steps = state["mean"], state["steps"]
        assert isinstance(mean, dict)
        assert isinstance(steps, int)
        self._mean, self._steps = dict(mean), steps
