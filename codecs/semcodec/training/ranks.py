"""Several processes that train one network, each with its share of every batch.

All ranks hold the same weights and draw the same random numbers, those of the whole batch. Each
takes the part of the batch that is its own through the network; gradients are averaged. What is
decided by the whole batch (codebooks, their indices' entropy, batch normalisation, k-means) is
computed from all parts put together, on every rank alike. So a step is that of one process but for
the order of its sums.

::

    whole batch --part--> own pictures --encoder--> own latents --whole--> latents of all
                                                                  (backward: sums of gradients)
    gradient of mean over ranks of l_r  =  mean over ranks of the gradients

The functions of a `Ranks` of size 1 return what they are given.

Source: Li et al., "PyTorch distributed: experiences on accelerating data parallel training", VLDB
2020, for averaged gradients; Ioffe and Szegedy, "Batch normalization" (2015), for the statistics.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from semcodec.errors import CodecError

Value = TypeVar("Value")


class RanksError(CodecError):
    """A process of the training is gone."""


@dataclass(frozen=True)
class Ranks:
    """This process among those of a training.

    Attributes:
        rank: Its number from 0; the first one alone writes.
        size: How many there are, connected by torch's default process group.

    >>> ALONE.part(torch.tensor([1, 2])), ALONE.mean_values({"loss": 0.5}), ALONE.first
    (tensor([1, 2]), {'loss': 0.5}, True)
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def part(self, whole: Tensor) -> Tensor:
        """This rank's rows of what is the same on all of them; their number divides by `size`.

        >>> Ranks(1, 2).part(torch.arange(6))
        tensor([3, 4, 5])
        """
        assert len(whole) % self.size == 0
        return whole if self.size == 1 else whole.tensor_split(self.size)[self.rank]

    def whole(self, part: Tensor) -> Tensor:
        """The parts of all ranks, first dimension after one another; gradients come back summed."""
        return part if self.size == 1 else _Whole.apply(part, self)  # type: ignore[no-untyped-call]

    def mean(self, value: Tensor) -> Tensor:
        """The mean over the ranks; gradients come back as their mean too."""
        return value if self.size == 1 else _Mean.apply(value, self)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the ranks, all of them in one message."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.size == 1 or not gradients:
            return
        flat = torch.cat([g.reshape(-1) for g in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        _scatter(flat, gradients)

    @torch.no_grad()
    def follow_first(self, tensors: Iterable[Tensor]) -> None:
        """Make floating-point tensors those of the first rank, to the last bit."""
        kept = [t for t in tensors if t.is_floating_point()]
        if self.size == 1 or not kept:
            return
        flat = torch.cat([t.reshape(-1) for t in kept])
        distributed.broadcast(flat, 0)
        _scatter(flat, kept)

    def mean_values(self, values: Mapping[str, float]) -> dict[str, float]:
        """Means over the ranks of numbers for the log."""
        if self.size == 1:
            return dict(values)
        flat = torch.tensor(list(values.values()), dtype=torch.float64)
        distributed.all_reduce(flat)
        return dict(zip(values, (flat / self.size).tolist(), strict=True))

    def from_first(self, make: Callable[[], Value]) -> Value:
        """What the first rank makes; the others wait for it."""
        if self.size == 1:
            return make()
        held: list[Any] = [make() if self.first else None]
        distributed.broadcast_object_list(held, 0)
        made: Value = held[0]
        return made


ALONE = Ranks()


def launched() -> Ranks:
    """What torchrun, or whoever sets its environment variables, has started; else `ALONE`.

    Needs RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. Nothing is connected yet.
    """
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    if not all(os.environ.get(name) for name in names):
        return ALONE
    return Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def connected(ranks: Ranks) -> Iterator[None]:
    """Torch's default process group over gloo, as long as this lasts; nothing for one rank.

    Raises:
        RanksError: Another process has ended or cannot be reached.
    """
    if ranks.size == 1:
        yield
        return
    try:
        distributed.init_process_group("gloo")
        yield
    except RuntimeError as error:
        if "gloo" not in str(error) and "connect" not in str(error).lower():
            raise
        raise RanksError(
            f"rank {ranks.rank} must reach all {ranks.size} processes of the training, and has "
            "lost one: the same command goes on from the last checkpoint"
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _scatter(flat: Tensor, tensors: Iterable[Tensor]) -> None:
    at = 0
    for tensor in tensors:
        tensor.copy_(flat[at : at + tensor.numel()].reshape(tensor.shape))
        at += tensor.numel()


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        own = part.contiguous()
        parts = [torch.empty_like(own) for _ in range(ranks.size)]
        distributed.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return ctx.ranks.part(total), None


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return _mean(value, ranks)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _mean(gradient, ctx.ranks), None


def _mean(value: Tensor, ranks: Ranks) -> Tensor:
    total = value.clone(memory_format=torch.contiguous_format)
    distributed.all_reduce(total)
    return total / ranks.size
