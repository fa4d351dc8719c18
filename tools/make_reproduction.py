"""Write docs/reproduction.md and its figures from finished runs.

    for s in esc_mvq/fig3 esc_mvq/fig5 ...; do transceiver reproduce $s ...; done
    transceiver run cifar10_noise_free ...
    transceiver run kodak_noise_free ...
    python tools/make_reproduction.py [RUNS]

RUNS (``runs`` without it) holds the runs by the names of their scenarios. The texts come from
tools/reproduction_*.md; a run that is missing is an error.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from transceiver.catalog import describe_weights, weights
from transceiver.results import Row, rows
from transceiver.store import open_run

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
SMALL = (
    "esc-mvq-fig3",
    "esc-mvq-fig5",
    "esc-mvq-fig7",
    "esc-mvq-fig8",
    "esc-mvq-soft-decoding",
    "grounded-fig3-4",
    "ecvq-fig1",
)
PHOTOS = (
    "bpg-ldpc-kodak",
    "vq-deepsc-fig3-awgn",
    "vq-deepsc-fig3-rician",
    "vq-deepsc-fig4",
    "vq-deepsc-fig5",
    "vq-deepsc-pictures",
    "moc-rvq-fig3",
    "moc-rvq-fig4",
    "moc-rvq-fig5",
)
QUALITIES = {"psnr": 2, "ms_ssim": 4, "lpips_alex": 3}
"""Metrics of the photographs, and their decimals."""


def small_noise_free(folder: Path) -> Iterator[str]:
    """A line for each system: bits, PSNR, size and training."""
    shipped = weights()
    yield "| weights | bits per image | PSNR [dB], test split | trained as, size, training |"
    yield "|---|---|---|---|"
    for row in rows(open_run(folder / "cifar10-noise-free")):
        psnr = row.metrics["psnr"]
        bits = row.counters.source_bits / row.counters.frames
        name = f"cifar-{row.codec}"
        yield (
            f"| `{name}` | {bits:.0f} | {psnr.value:.2f} [{psnr.low:.2f}, {psnr.high:.2f}] "
            f"| {describe_weights(shipped[name])} |"
        )


def photo_noise_free(folder: Path) -> Iterator[str]:
    """A line for each codec: bits or symbols a pixel, PSNR, MS-SSIM, LPIPS."""
    yield "| codec | bits per pixel | PSNR [dB] | MS-SSIM | LPIPS (AlexNet) | failures |"
    yield "|---|---|---|---|---|---|"
    for row in rows(open_run(folder / "kodak-noise-free")):
        found = " | ".join(_quality(row, metric) for metric in QUALITIES)
        yield f"| `{row.codec}` | {_rate(row)} | {found} | {row.failures + row.outages or ''} |"


def _quality(row: Row, metric: str) -> str:
    estimate = row.metrics[metric]
    return f"{estimate.value:.{QUALITIES[metric]}f}"


def _rate(row: Row) -> str:
    pixels = row.counters.symbols / row.cbr / 3
    if not row.counters.source_bits:
        return f"({row.counters.symbols / pixels:.3f} symbols)"
    return f"{(row.counters.source_bits + row.counters.length_bits) / pixels:.3f}"


def photo_weights() -> Iterator[str]:
    """A line for each weight file of the photo systems."""
    yield "| weights | trained as, size, training |"
    yield "|---|---|"
    for name, path in weights().items():
        if not name.startswith(("cifar-", "vqvae")):
            yield f"| `{name}` | {describe_weights(path)} |"


def section(folder: Path, name: str) -> Iterator[str]:
    """The claims and numbers of a run, one heading lower, and its figure."""
    figures = folder / name / "figures"
    FIGURES.mkdir(exist_ok=True)
    shutil.copyfile(figures / "reproduction.png", FIGURES / f"{name}.png")
    text = (figures / "claims.md").read_text(encoding="utf-8").rstrip()
    yield from (f"#{line}" if line.startswith("#") else line for line in text.splitlines())
    yield from ("", f"![{name}](figures/{name}.png)", "")


def text(name: str) -> str:
    """What is written by hand."""
    return (ROOT / "tools" / f"reproduction_{name}.md").read_text(encoding="utf-8").rstrip()


def main(folder: Path) -> None:
    """Write the page."""
    lines = [text("small"), "", "## Without bit errors", "", *small_noise_free(folder), ""]
    for name in SMALL:
        lines += section(folder, name)
    lines += [text("photo"), "", *photo_weights(), ""]
    lines += ["## Photographs without bit errors", "", *photo_noise_free(folder), ""]
    for name in PHOTOS:
        lines += section(folder, name)
    (ROOT / "docs" / "reproduction.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs"))
