"""Layered decoding of a batch: threads, work space, and the choice of where it runs."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from phy.arrays import Llrs
from phy.ldpc.code import CERTAIN_LLR
from phy.ldpc.decoding import NOT_NUMBERS, Decoded, check_iterations, check_llrs_of
from phy.ldpc.graph import TannerGraph
from phy.ldpc.layered import kernel, tensors
from phy.ldpc.layered.arithmetic import Arithmetic, Format, RuleName, format_of
from phy.ldpc.layered.schedule import GROUP, Schedule, schedule
from phy.ldpc.layered.vector import REGISTER_BYTES, lanes_of

_WORTH_A_THREAD = 1 << 21
"""Blocks times edges for which another thread is started."""


@dataclass(frozen=True)
class Layered:
    """A decoder that updates layer after layer, each from what the ones before it just found out.

    It needs about half as many iterations as the flooding schedule (Hocevar, "A reduced complexity
    decoder architecture via layered decoding of LDPC codes", IEEE SiPS 2004). Each code block stops
    at its first codeword. The results depend neither on the batch, nor on the number of threads,
    nor on the device.

    Attributes:
        graph: The parity checks.
        rule: Check-node rule, `phy.ldpc.layered.check_node`.
        arithmetic: ``int8``, ``int16`` or ``float32``; `phy.ldpc.layered.arithmetic`.
        iterations: At most so many, at least 1.
        threads: At most so many on a CPU; None takes as many as torch does, by default all cores.

    >>> graph = TannerGraph.of(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 2]),
    ...                        checks=2, variables=3)
    >>> decoded = Layered(graph).decode(torch.tensor([-3.0, 1.0, 0.5]))
    >>> decoded.bits.tolist(), int(decoded.iterations), bool(decoded.converged)
    ([1, 1, 1], 1, True)
    """

    graph: TannerGraph
    rule: RuleName = "offset_min_sum"
    arithmetic: Arithmetic = "int8"
    iterations: int = 50
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse what does not exist."""
        check_iterations(self.iterations)
        format_of(self.rule, self.arithmetic)
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, got {self.threads}")

    def decode(self, llrs: Llrs) -> Decoded:
        """Decode LLRs ``[..., variables]``, as `phy.ldpc.decoding.LdpcDecoder` says."""
        check_llrs_of(self.graph, llrs)
        blocks = llrs.detach().reshape(-1, self.graph.variables).to(torch.float32)
        form, plan = format_of(self.rule, self.arithmetic), schedule(self.graph)
        if blocks.device.type == "cpu":
            decoded = self._on_cpu(blocks, form, plan)
        else:
            decoded = tensors.decode(blocks, form, plan, iterations=self.iterations)
        return decoded.reshape(llrs.shape[:-1])

    def _on_cpu(self, llrs: Tensor, form: Format, plan: Schedule) -> Decoded:
        """Decode LLRs ``[blocks, variables]``; each thread takes the next blocks when it can."""
        variables, lanes = llrs.shape[1], lanes_of(form.dtype)
        if variables < lanes:  # a register takes `lanes` variables at once
            llrs = torch.nn.functional.pad(llrs, (0, lanes - variables), value=CERTAIN_LLR)
        decoded = Decoded.empty(len(llrs), llrs.shape[1])
        memory, counter = llrs.contiguous().numpy(), np.zeros(1, np.int64)

        def decode_some() -> bool:
            return kernel.decode(
                form.rule,
                plan.degrees,
                plan.runs,
                plan.variable,
                plan.parity,
                memory,
                form.scale,
                form.limit,
                self.iterations,
                counter,
                _work_space(llrs.shape[1], len(plan.variable), form.dtype),
                kernel.Results(
                    decoded.bits.numpy(), decoded.iterations.numpy(), decoded.converged.numpy()
                ),
            )

        others = self._threads(len(llrs), len(plan.variable), lanes) - 1
        if others:
            with ThreadPoolExecutor(others) as pool:
                pending = [pool.submit(decode_some) for _ in range(others)]
                verdicts = [decode_some(), *(future.result() for future in pending)]
        else:
            verdicts = [decode_some()]
        if not all(verdicts):
            raise ValueError(NOT_NUMBERS)
        if variables < lanes:
            return Decoded(decoded.bits[:, :variables], decoded.iterations, decoded.converged)
        return decoded

    def _threads(self, blocks: int, edges: int, lanes: int) -> int:
        """Threads for a batch: none without full registers, or for less than a millisecond."""
        worthwhile = min(blocks // lanes, blocks * edges // _WORTH_A_THREAD)
        return max(min(self.threads or torch.get_num_threads(), worthwhile), 1)


def _work_space(variables: int, edges: int, dtype: np.dtype[Any]) -> kernel.WorkSpace:
    lanes = lanes_of(dtype)
    integer = np.dtype(f"int{8 * dtype.itemsize}")
    words = _aligned((variables + 2 * GROUP,), np.dtype(np.uint64))
    words[:] = 0
    return kernel.WorkSpace(
        P=_aligned((variables, lanes), dtype),
        R=_aligned((edges, lanes), dtype),
        T=_aligned((variables, lanes), dtype),
        H=words[GROUP:-GROUP],
        rows=_aligned((lanes, variables), dtype),
        order=_aligned((lanes,), integer),
    )


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Uninitialised memory that begins with a register's alignment."""
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + REGISTER_BYTES, np.uint8)
    start = -memory.ctypes.data % REGISTER_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)
