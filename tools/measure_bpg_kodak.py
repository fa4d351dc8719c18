"""Rate and distortion of our BPG files on a folder of images, beside published points on Kodak.

Usage: ``python tools/measure_bpg_kodak.py FOLDER [CHROMA]`` with CHROMA 444 (default), 420 or 400.

Bits per pixel count the whole file. Means are over images, of bits per pixel and of PSNR in dB; the
published points (24 Kodak images, x265 at 4:4:4) are compared at their bits per pixel by linear
interpolation of PSNR over log(bits per pixel).
"""

import math
import sys
from itertools import pairwise
from pathlib import Path

import av

from semcodec.bpg import Bpg
from semcodec.image_io import read_image
from semcodec.metrics import psnr

QPS = (22, 25, 28, 30, 32, 34, 36, 38, 40, 42)
PUBLISHED = ((0.161, 28.68), (0.352, 31.59), (0.685, 34.86))  # bits per pixel, dB


def measure(codec: Bpg, paths: list[Path], qp: int) -> tuple[float, float]:
    """Mean bits per pixel and mean PSNR in dB at one QP."""
    rates, qualities = [], []
    for path in paths:
        image = read_image(path)
        height, width = image.shape[1:]
        data = codec.encode(image, qp)
        rates.append(8 * len(data) / (height * width))
        qualities.append(psnr(image, codec.decode(data, height, width)))
    return sum(rates) / len(rates), sum(qualities) / len(qualities)


def main(folder: str, chroma: str = "444") -> None:
    """Measure all PNG files of a folder and print a table."""
    paths = sorted(Path(folder).glob("*.png"))
    if not paths:
        raise SystemExit(f"folder must hold PNG files, got {folder}")
    codec = Bpg(chroma)  # type: ignore[arg-type]  # refused there if it is none of the three
    print(f"{len(paths)} images, BPG {chroma}, av {av.__version__}\n QP    bpp   PSNR/dB")
    points = []
    for qp in QPS:
        points.append(measure(codec, paths, qp))
        print(f"{qp:3d}  {points[-1][0]:.3f}   {points[-1][1]:.2f}", flush=True)
    for rate, published in PUBLISHED:
        for (high, best), (low, worst) in pairwise(points):
            if low <= rate <= high:
                weight = math.log(rate / low) / math.log(high / low)
                ours = worst + weight * (best - worst)
                print(f"at {rate} bpp: {ours:.2f} dB, published {published} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
