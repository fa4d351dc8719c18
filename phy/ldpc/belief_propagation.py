"""Sum-product decoding of LDPC codes with the flooding schedule, many code blocks at once.

Kschischang, Frey, Loeliger, "Factor graphs and the sum-product algorithm", IEEE Trans. IT 47(2),
2001; Richardson, Urbanke, "Modern Coding Theory", 2008, section 2.5. In each iteration

- every check sends to each of its variables the LLR of the XOR of its *other* variables,
  magnitude phi(sum of phi(|m|)), phi(x) = -ln tanh(x/2) = ln(1 + 2 / (e^x - 1)), its own inverse;
- every variable adds up its channel LLR and what its checks say, and sends to each check that sum
  without the check's own share.

Magnitudes stay exact at both ends: log1p and expm1 lose nothing where phi is tiny or huge, and the
sums over "all others" are built from the front and the back, never as a difference. phi(inf) = 0
and phi(0) = inf need no care; only what leaves a check is limited, to 80.

Memory is ``[edges, lanes]``, a code block in each lane, so that everything is elementwise over
lanes or moves whole rows. Edges lie by check degree, then by position within the check: "the p-th
edge of all checks of degree d" is one contiguous slice. A block that is done leaves its lane to the
next.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from phy.arrays import Bits, Llrs
from phy.ldpc.code import CERTAIN_LLR
from phy.ldpc.decoding import NOT_NUMBERS, Decoded, check_iterations, check_llrs_of
from phy.ldpc.edge_layout import EdgeLayout, Group, edge_layout
from phy.ldpc.graph import TannerGraph

_MESSAGE_LIMIT = 80.0
_LANE_FLOATS = 1 << 20  # messages of the lanes together: 4 MiB of float32
_MIN_LANES = 8
_REFILL_AT = 5  # refill once 1/5 of the lanes are done


@dataclass(frozen=True)
class BeliefPropagation:
    """A flooding sum-product decoder that stops each code block at its first codeword.

    A variable whose total LLR is exactly 0 is undecided (its bit reads 0), and a block with an
    undecided variable has not converged: an erased block is no success though the all-zero word is
    a codeword. LLRs of 1e4 and more in magnitude, infinity among them, count as certain. What is
    found for a block does not depend on the others in the batch.

    Attributes:
        graph: The parity checks.
        iterations: At most so many, at least 1.

    >>> graph = TannerGraph.of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 2]),
    ...                        checks=2, variables=3)
    >>> decoded = BeliefPropagation(graph).decode(torch.tensor([-3.0, 1.0, 0.5]))
    >>> decoded.bits.tolist(), int(decoded.iterations), bool(decoded.converged)
    ([1, 1, 1], 2, True)
    """

    graph: TannerGraph
    iterations: int = 50

    def __post_init__(self) -> None:
        """Refuse a decoder that never decodes."""
        check_iterations(self.iterations)

    def decode(self, llrs: Llrs) -> Decoded:
        """Decode LLRs ``[..., variables]``, float32 or float64, of a batch of code blocks.

        Raises:
            ValueError: Another shape or type, or an LLR that is no number.
        """
        check_llrs_of(self.graph, llrs)
        if bool(llrs.isnan().any()):
            raise ValueError(NOT_NUMBERS)
        blocks = llrs.detach().reshape(-1, self.graph.variables)
        return self._decode_blocks(blocks).reshape(llrs.shape[:-1])

    def _decode_blocks(self, llrs: Tensor) -> Decoded:
        decoded = Decoded.empty(len(llrs), self.graph.variables, llrs.device)
        capacity = max(_LANE_FLOATS // max(self.graph.edges, 1), _MIN_LANES)
        lanes = _Lanes(edge_layout(self.graph, llrs.device), llrs)
        lanes.refill(capacity)
        while len(lanes.block):
            converged = lanes.add_up()
            finished = (converged | (lanes.used >= self.iterations)) & ~lanes.done
            which = finished.nonzero().flatten()
            if len(which):
                block = lanes.block[which]
                decoded.bits[block] = lanes.hard(which)
                decoded.iterations[block] = lanes.used[which]
                decoded.converged[block] = converged[which]
                lanes.done |= finished
                if int(lanes.done.sum()) * _REFILL_AT >= len(finished):
                    lanes.refill(capacity)
                    continue
            lanes.update_checks()
            lanes.used += 1
        return decoded


class _Lanes:
    """The blocks at work: ``block [lanes]``, which one is in each lane, and their messages.

    Attributes:
        block: int64 ``[lanes]``, the block's place in the batch.
        used: int32 ``[lanes]``, iterations so far.
        done: bool ``[lanes]``: the block's result is known; the lane waits for the next refill.
    """

    def __init__(self, layout: EdgeLayout, llrs: Tensor) -> None:
        self._layout = layout
        self._llrs = llrs
        self._sign = torch.int32 if llrs.dtype == torch.float32 else torch.int64
        self._next = 0
        self._channel = llrs.new_empty((llrs.shape[-1], 0))
        self._messages = llrs.new_empty((len(layout.variable), 0))  # check to variable
        self.block = torch.empty(0, dtype=torch.int64, device=llrs.device)
        self.used = torch.empty(0, dtype=torch.int32, device=llrs.device)
        self.done = torch.empty(0, dtype=torch.bool, device=llrs.device)

    def refill(self, capacity: int) -> None:
        """Drop the blocks that are done and take new ones up to ``capacity`` lanes."""
        keep = (~self.done).nonzero().flatten()
        first, self._next = self._next, min(self._next + capacity - len(keep), len(self._llrs))
        fresh = self._llrs[first : self._next]
        channel = fresh.T[self._layout.order].clamp(-CERTAIN_LLR, CERTAIN_LLR)
        silent = self._messages.new_zeros((len(self._messages), len(fresh)))
        self._channel = torch.cat([self._channel.index_select(1, keep), channel], 1)
        self._messages = torch.cat([self._messages.index_select(1, keep), silent], 1)
        new = torch.arange(first, self._next, device=self.block.device)
        self.block = torch.cat([self.block[keep], new])
        self.used = torch.cat([self.used[keep], torch.zeros_like(new, dtype=torch.int32)])
        self.done = torch.zeros_like(self.block, dtype=torch.bool)
        self._totals = torch.empty_like(self._channel)
        self._work = torch.empty_like(self._messages)
        self._spare = torch.empty_like(self._messages)

    def hard(self, which: Tensor) -> Bits:
        """Hard decisions ``[len(which), variables]`` of some lanes, from the last `add_up`."""
        return (self._totals.index_select(1, which) < 0)[self._layout.place].T.to(torch.uint8)

    def add_up(self) -> Tensor:
        """Total LLR of each variable; returns bool ``[lanes]``: a codeword, nothing undecided."""
        work, totals = self._work, self._totals
        torch.index_select(self._messages, 0, self._layout.from_check_order, out=work)
        totals.copy_(self._channel)
        for group in self._layout.variables:
            sums = totals[group.node : group.node + group.count]
            for part in _positions(work, group):
                sums += part
        torch.index_select(totals, 0, self._layout.variable, out=work)
        decided = totals.abs().amin(0) > 0
        for group in self._layout.checks:
            if group.degree:
                decided &= _parity(work.view(self._sign), group).amin(0) >= 0  # sign bit: odd
        return decided

    def update_checks(self) -> None:
        """From totals to variable-to-check and on to new check-to-variable messages."""
        work = self._work.sub_(self._messages)
        terms, sums = _phi_(torch.abs(work, out=self._messages)), self._spare
        signs = work.view(self._sign)
        for group in self._layout.checks:
            if group.degree:
                _sums_of_others(_positions(terms, group), _positions(sums, group))
                odd = _parity(signs, group)
                for part in _positions(signs, group):
                    part ^= odd
        _phi_(sums).clamp_(max=_MESSAGE_LIMIT)
        self._messages, self._spare = torch.copysign(sums, work, out=sums), terms


def _phi_(x: Tensor) -> Tensor:
    """phi(x) = ln(1 + 2 / (e^x - 1)) in place, x >= 0: from inf at 0 to 0 at inf."""
    x.expm1_()
    torch.div(x.new_tensor(2.0), x, out=x)
    return x.log1p_()


def _positions(x: Tensor, group: Group) -> tuple[Tensor, ...]:
    """Views ``[count, lanes]`` of the edges ``[edges, lanes]`` of a group, one per position."""
    edges = x[group.edge : group.edge + group.degree * group.count]
    return edges.view(group.degree, group.count, x.shape[1]).unbind(0)


def _parity(signs: Tensor, group: Group) -> Tensor:
    """XOR over the edges of each check, ``[count, lanes]``."""
    first, *others = _positions(signs, group)
    parity = first.clone()
    for part in others:
        parity ^= part
    return parity


def _sums_of_others(terms: tuple[Tensor, ...], sums: tuple[Tensor, ...]) -> None:
    """Fill sums[p] with the sum of all terms but the p-th, by additions only; spoils the terms."""
    last = len(terms) - 1
    sums[last].zero_()
    for p in range(last, 0, -1):  # what follows p
        torch.add(sums[p], terms[p], out=sums[p - 1])
    for p in range(1, last + 1):  # plus what precedes p
        sums[p].add_(terms[p - 1])
        terms[p].add_(terms[p - 1])
