"""Write docs/reproduction.md and its figures from finished runs.

    for s in esc_mvq/fig3 esc_mvq/fig5 ...; do transceiver reproduce $s ...; done
    transceiver run cifar10_noise_free ...
    python tools/make_reproduction.py [RUNS]

RUNS (``runs`` without it) holds the runs by the names of their scenarios. The text comes from
tools/reproduction_head.md; a run that is missing is an error.
"""

import shutil
import sys
from pathlib import Path

from transceiver.catalog import describe_weights, weights
from transceiver.results import rows
from transceiver.store import open_run

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
RUNS = (
    "esc-mvq-fig3",
    "esc-mvq-fig5",
    "esc-mvq-fig7",
    "esc-mvq-fig8",
    "esc-mvq-soft-decoding",
    "grounded-fig3-4",
    "ecvq-fig1",
    "bpg-ldpc-kodak",
)


def noise_free(folder: Path) -> list[str]:
    """A line for each system: bits, PSNR, size and training."""
    store = open_run(folder / "cifar10-noise-free")
    shipped = weights()
    lines = [
        "| weights | bits per image | PSNR [dB], test split | trained as, size, training |",
        "|---|---|---|---|",
    ]
    for row in rows(store):
        psnr = row.metrics["psnr"]
        bits = row.counters.source_bits / row.counters.frames
        name = f"cifar-{row.codec}"
        lines.append(
            f"| `{name}` | {bits:.0f} | {psnr.value:.2f} [{psnr.low:.2f}, {psnr.high:.2f}] "
            f"| {describe_weights(shipped[name])} |"
        )
    return lines


def section(folder: Path, name: str) -> list[str]:
    """The claims and numbers of a run, one heading lower, and its figure."""
    figures = folder / name / "figures"
    FIGURES.mkdir(exist_ok=True)
    shutil.copyfile(figures / "reproduction.png", FIGURES / f"{name}.png")
    text = (figures / "claims.md").read_text(encoding="utf-8").rstrip()
    lines = [f"#{line}" if line.startswith("#") else line for line in text.splitlines()]
    return [*lines, "", f"![{name}](figures/{name}.png)", ""]


def main(folder: Path) -> None:
    """Write the page."""
    head = (ROOT / "tools" / "reproduction_head.md").read_text(encoding="utf-8").rstrip()
    lines = [head, "", "## Without bit errors", "", *noise_free(folder), ""]
    for name in RUNS:
        lines += section(folder, name)
    (ROOT / "docs" / "reproduction.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs"))
