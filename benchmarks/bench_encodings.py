"""Encoding the quickstart's photographs: without a cache, into an empty one, and from it.

CPU time of one thread, the sum over the four photographs.

    python benchmarks/bench_encodings.py
"""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from semcodec import budget
from transceiver.build import build
from transceiver.catalog import find_scenario
from transceiver.encodings import EncodingCache
from transceiver.pictures import open_pictures
from transceiver.scenario import load


def main() -> None:
    """Print a line for each codec."""
    torch.set_num_threads(1)
    scenario = load(find_scenario("quickstart"))
    assert scenario.images is not None
    pictures = list(open_pictures(scenario.images, folder=Path()))
    build(scenario)["vq"].encode(pictures[0])  # the first pass of a network takes longer
    with TemporaryDirectory() as folder:
        cache = EncodingCache(Path(folder))
        for label, kept in (("no cache", None), ("empty", cache), ("full", cache)):
            budget._CACHE._entries.clear()  # what this process remembers of single qualities
            budget._CACHE._size_bytes = 0
            for name, sender in build(scenario, cache=kept).items():
                began = time.process_time()
                for picture in pictures:
                    sender.encode(picture)
                milliseconds = 1e3 * (time.process_time() - began)
                print(f"{label:8}  {name:4}  {milliseconds:7.1f} ms", flush=True)


if __name__ == "__main__":
    main()
