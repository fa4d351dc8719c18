"""Eight codecs over Kodak: one worker beside two, and what the second run of a sweep costs.

    python benchmarks/bench_sweep.py KODAK [IMAGES]

Each run is the command itself in a process of its own, start and figures included, with an empty
cache of encodings unless said otherwise; nothing else should run on the machine. About an hour on
two cores with all 24 images.

1. 11 points with ``--jobs 1``.
2. 11 points with ``--jobs 2``; the rows must be the same.
3. A twelfth point in the folder of 2, with its cache.
4. 12 points from scratch with ``--jobs 2``; the rows of 3 must be the same.
5. 12 points in a new folder with the cache of 2: what the cache of encodings alone is worth.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from transceiver.store import open_run

TWELFTH = "sweep.esn0_db=[4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5]"


def timed(label: str, folder: Path, cache: Path, *options: str) -> float:
    """Seconds of ``transceiver run``."""
    command = [sys.executable, "-m", "transceiver", "run", "kodak_systems", "--out", str(folder)]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--cache", str(cache), *options],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    took = time.perf_counter() - began
    load = os.getloadavg()[0]
    print(f"{label:44s} {took:7.1f} s   load {load:.2f}", flush=True)
    return took


def main() -> None:
    """Print a line for each run and the ratios."""
    pictures = ["--set", f"images.path={Path(sys.argv[1]).resolve()}"]
    if len(sys.argv) > 2:
        pictures += ["--set", f"images.limit={sys.argv[2]}"]
    two, more = ["--jobs", "2"], ["--set", TWELFTH]
    with TemporaryDirectory() as home:
        runs, caches = ([Path(home) / f"{kind}{i}" for i in range(6)] for kind in ("run", "cache"))
        alone = timed("11 points, 1 job", runs[1], caches[1], *pictures)
        both = timed("11 points, 2 jobs", runs[2], caches[2], *pictures, *two)
        assert open_run(runs[1]).rows() == open_run(runs[2]).rows()
        grown = timed("a twelfth point in the same folder, 2 jobs", runs[2], caches[2],
                      *pictures, *two, *more)  # fmt: skip
        scratch = timed("12 points from scratch, 2 jobs", runs[4], caches[4],
                        *pictures, *two, *more)  # fmt: skip
        assert open_run(runs[2]).rows() == open_run(runs[4]).rows()
        print(f"2 jobs against 1: {alone / both:.2f}")
        print(
            f"a point more in the same folder against from scratch: {scratch / grown:.1f}",
            flush=True,
        )
        kept = timed("12 points in a new folder, cache, 2 jobs", runs[5], caches[2],
                     *pictures, *two, *more)  # fmt: skip
        assert open_run(runs[5]).rows() == open_run(runs[4]).rows()
        print(f"the cache of encodings alone: {scratch / kept:.2f}")


if __name__ == "__main__":
    main()
