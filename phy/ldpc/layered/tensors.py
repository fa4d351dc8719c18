"""The layered decoder on tensors: what the kernel does, to the last bit, on any device.

Each layer is a handful of operations over all of its checks and all code blocks at once. Memory is
``[variables, blocks]`` and ``[edges, blocks]``; a block that is done leaves it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from phy.ldpc.decoding import NOT_NUMBERS, Decoded
from phy.ldpc.layered.arithmetic import Format
from phy.ldpc.layered.check_node import AMinStar, OffsetMinSum
from phy.ldpc.layered.schedule import Schedule

_MESSAGES = 1 << 28
"""Messages held at once: 1 GiB."""


def decode(llrs: Tensor, form: Format, plan: Schedule, *, iterations: int) -> Decoded:
    """Decode LLRs ``[blocks, variables]``, float32; see `phy.ldpc.layered.decoder.Layered`."""
    if bool(llrs.isnan().any()):
        raise ValueError(NOT_NUMBERS)
    decoded = Decoded.empty(len(llrs), llrs.shape[1], llrs.device)
    numbers = _Numbers(form)
    layers = _layers(plan, llrs.device)
    step = max(_MESSAGES // max(len(plan.variable), 1), 1)
    for first in range(0, len(llrs), step):
        _decode_part(llrs[first : first + step], first, numbers, layers, iterations, decoded)
    return decoded


def _decode_part(
    llrs: Tensor,
    first: int,
    numbers: "_Numbers",
    layers: list[list[Tensor]],
    iterations: int,
    decoded: Decoded,
) -> None:
    block = torch.arange(first, first + len(llrs), device=llrs.device)
    P = numbers.from_llrs(llrs.T.contiguous())
    R = [[P.new_zeros((*edges.shape, len(block))) for edges in layer] for layer in layers]
    for used in range(iterations + 1):
        good = _codewords(P, layers)
        done = good if used < iterations else torch.ones_like(good)
        which = block[done]
        decoded.bits[which] = (P.T[done] < 0).to(torch.uint8)
        decoded.iterations[which] = torch.where(good[done], used, iterations).to(torch.int32)
        decoded.converged[which] = good[done]
        if bool(done.all()):
            return
        keep = (~done).nonzero().flatten()
        block, P = block[keep], P.index_select(1, keep)
        R = [[r.index_select(2, keep) for r in layer] for layer in R]
        for layer, messages in zip(layers, R, strict=True):
            for i, variable in enumerate(layer):  # [checks, degree]
                Q = numbers.saturate(P[variable] - messages[i])
                messages[i] = numbers.messages(Q)
                P[variable] = numbers.saturate(Q + messages[i])


def _codewords(P: Tensor, layers: list[list[Tensor]]) -> Tensor:
    """Whether the signs of P ``[variables, blocks]`` are a codeword and none is 0."""
    good = (P != 0).all(0)
    for layer in layers:
        for variable in layer:
            good &= ((P[variable] < 0).sum(1) % 2 == 0).all(0)
    return good


def _layers(plan: Schedule, device: torch.device) -> list[list[Tensor]]:
    """For each layer the variables ``[checks, degree]`` of its checks, by degree."""
    degree = torch.repeat_interleave(*torch.from_numpy(plan.runs).unbind(1))
    checks = torch.split(torch.from_numpy(plan.variable).to(torch.int64), degree.tolist())
    layers, start = [], 0
    for size in plan.layers:
        members: dict[int, list[Tensor]] = {}
        for check in checks[start : start + size]:
            members.setdefault(len(check), []).append(check)
        layers.append([torch.stack(same).to(device) for same in members.values()])
        start += size
    return layers


@dataclass(frozen=True)
class _Numbers:
    """The arithmetic: float32 as it is, integers in int32 with the limits of their own type."""

    form: Format

    @property
    def _floating(self) -> bool:
        return self.form.dtype.kind == "f"

    @property
    def _bound(self) -> int:
        return 1 << (8 * self.form.dtype.itemsize - 1)

    def from_llrs(self, llrs: Tensor) -> Tensor:
        x = (llrs * self.form.scale).clamp(-self.form.limit, self.form.limit)
        return x if self._floating else x.round().to(torch.int32)

    def saturate(self, x: Tensor) -> Tensor:
        return x if self._floating else x.clamp_(-self._bound, self._bound - 1)

    def messages(self, Q: Tensor) -> Tensor:
        """The check-node rule on Q ``[checks, degree, blocks]``."""
        rule, magnitudes = self.form.rule, Q.abs().unbind(1)
        least = magnitudes[0]
        largest = float("inf") if self._floating else 2 * self._bound - 1
        others = torch.full_like(least, largest)
        for i, x in enumerate(magnitudes[1:]):
            larger, least = torch.maximum(least, x), torch.minimum(least, x)
            if i == 0:
                others = larger
            elif isinstance(rule, OffsetMinSum):
                others = torch.minimum(others, larger)
            else:
                others = self._box_plus(rule, others, larger)
        if isinstance(rule, OffsetMinSum):
            to_weakest, to_others = ((x - rule.offset).clamp(min=0) for x in (others, least))
        else:
            to_weakest, to_others = others, self._box_plus(rule, others, least)
        to_weakest, to_others = to_weakest.clamp(max=rule.cap), to_others.clamp(max=rule.cap)
        odd = (Q < 0).sum(1, keepdim=True) % 2 == 1
        magnitude = torch.where(
            torch.stack(magnitudes, 1) == least[:, None], to_weakest[:, None], to_others[:, None]
        )
        return torch.where(odd ^ (Q < 0), -magnitude, magnitude)

    def _box_plus(self, rule: AMinStar, x: Tensor, y: Tensor) -> Tensor:
        """min(x, y) + c(x + y) - c(|x - y|)."""
        least, most = torch.minimum(x, y), torch.maximum(x, y)

        def correction(z: Tensor) -> Tensor:
            near, far = (rule.near - z).clamp(min=0), (rule.far - z).clamp(min=0)
            halves = (near / 2, far / 8) if self._floating else (near // 2, far // 8)
            return torch.maximum(*halves)

        excess = correction(most - least) - correction(least + most)
        return (least - excess.clamp(min=0)).clamp(min=0)
