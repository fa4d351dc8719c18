"""What it costs to hand work to a process: local workers (`--jobs`) beside a Ray cluster's.

    python benchmarks/bench_workers.py [ORDERS]

Orders carry a tensor of bytes, as chunks carry pictures, and the work is to do nothing, so what is
timed is the way there and back: pickling, transport, unpickling. One worker; the engines take
turns; the median of ORDERS (default 50) after the first, whose time is that of starting a worker
(Python, torch). Ray's is a cluster of its own on this machine, started before.
"""

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from transceiver.engine import Engine, Processes
from transceiver.ray_cluster import connected
from transceiver.workers import Job

SIZES = {"16 of 32 x 32": 16 * 3 * 32 * 32, "16 of 768 x 512": 16 * 3 * 768 * 512}
"""Bytes of the pictures of a chunk."""


@dataclass(frozen=True)
class Nothing:
    """A task that counts the bytes that it is given."""

    def open(self, say: Callable[[str], None]) -> Callable[[Tensor], int]:  # noqa: ARG002
        """See `transceiver.workers.Task`."""
        return torch.numel


def measure(engine: Engine, size_bytes: int, orders: int) -> tuple[float, float]:
    """Until the first answer [s]; between answers [s], the median."""
    pixels = torch.randint(256, (size_bytes,), dtype=torch.uint8)
    jobs = iter([Job(str(i), pixels) for i in range(orders + 1)])
    times = [time.perf_counter()]
    engine.hire(Nothing(), lambda _: None).work_off(
        lambda _: next(jobs, None), lambda *_: times.append(time.perf_counter())
    )
    gaps = [after - before for before, after in pairwise(times[1:])]
    return times[1] - times[0], statistics.median(gaps)


def main() -> None:
    """Print a line for each engine and size."""
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    began = time.perf_counter()
    cluster = connected("local", jobs=1, worker_cpus=1) if find_spec("ray") else nullcontext()
    with cluster as ray:
        if ray is not None:
            print(f"cluster started in {time.perf_counter() - began:.1f} s")
        engines = {"local": Processes(1, 1)} | ({"ray": ray} if ray is not None else {})
        for name, size_bytes in SIZES.items():
            for label, engine in engines.items():
                first, gap = measure(engine, size_bytes, orders)
                print(
                    f"{label:5s}  {name:15s}  {size_bytes / 1e6:6.2f} MB  "
                    f"first after {first:5.1f} s, then {1e3 * gap:7.2f} ms an order",
                    flush=True,
                )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import bench_workers  # so that workers find `Nothing` by a name that they can import

    bench_workers.main()
