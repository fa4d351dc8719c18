"""The running mean of weights."""

import pytest
import torch
from torch import nn

from semcodec.training.averaged import Averaged


def _set(network: nn.Linear, value: float) -> None:
    with torch.no_grad():
        network.weight.fill_(value)


def test_the_mean_is_the_recursion_of_its_definition() -> None:
    network = nn.Linear(1, 1, bias=False)
    _set(network, 0.0)
    averaged, expected = Averaged(network, decay=0.5), 0.0
    for step in range(1, 30):
        _set(network, float(step))
        averaged.update()
        decay = min(0.5, step / (step + 10))
        expected = decay * expected + (1 - decay) * step
    with averaged.applied():
        assert network.weight.item() == pytest.approx(expected)
    assert network.weight.item() == 29


def test_the_mean_survives_a_stop() -> None:
    network = nn.Linear(2, 2)
    averaged = Averaged(network)
    for value in (1.0, 2.0, 3.0):
        _set(network, value)
        averaged.update()
    again = Averaged(nn.Linear(2, 2))
    again.load_state_dict(averaged.state_dict())
    assert again.state_dict()["steps"] == 3
    mean, other = averaged.state_dict()["mean"], again.state_dict()["mean"]
    assert isinstance(mean, dict)
    assert isinstance(other, dict)
    assert all(torch.equal(mean[name], other[name]) for name in mean)


def test_the_weights_come_back_after_an_error() -> None:
    network = nn.Linear(1, 1, bias=False)
    _set(network, 1.0)
    averaged = Averaged(network)
    _set(network, 5.0)

    def fail() -> None:
        with averaged.applied():
            assert network.weight.item() == 1
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert network.weight.item() == 5


def test_a_decay_that_never_forgets_is_refused() -> None:
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1, got 1"):
        Averaged(nn.Linear(1, 1), decay=1.0)
