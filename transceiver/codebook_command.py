"""What ``transceiver codebook`` does, once its arguments are read."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from phy.qam import pam_levels
from semcodec import weights as weight_files
from semcodec.codebook import (
    Analysis,
    CodebookFile,
    analyse,
    channel_distortion,
    read_codebooks,
    switching_order,
    uniform,
    walk_order,
    write_reordered,
)
from transceiver.commands import user_errors
from transceiver.report.codebook import (
    codebook_figure,
    codebook_table,
    distance_table,
    gain_db,
    size_table,
)
from transceiver.scenario import ScenarioError

METHODS = ("walk", "amplitude", "switching")
DEFAULT_FLIP_PROBABILITY = 0.01
FLIP_PROBABILITY = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of the curves and of the map of sizes."""
RELATIVE_WEIGHT = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Prices of a bit, as shares of the codewords' variance."""
TIME_LIMIT_S = 120.0
"""For binary switching of one codebook; 512 codewords take some seconds."""


def codebook_command(
    out: Console,
    name: str,
    *,
    flip_probability: float | None,
    reorder: str | None,
    output: Path | None,
    figure: Path | None,
) -> None:
    """Print the tables of a weight file's codebooks, draw them, and write new labels.

    Args:
        out: For the tables.
        name: Shipped weights by name, or a ``.safetensors`` file.
        flip_probability: Of every bit, above 0 and at most 0.5, for D_ch and for the new
            labels; without it what the file holds for each bit, or else 0.01.
        reorder: ``walk`` (reflected Gray labels), ``amplitude`` (the labels of an axis of square
            QAM with ``axes: split``) or ``switching``; None for no new labels.
        output: The file with the new labels.
        figure: A PNG; ``NAME-codebook.png`` without it.

    Raises:
        ScenarioError: An argument or a file that cannot be used, in one line.
    """
    _check(flip_probability, reorder, output, figure)
    with user_errors():
        file = read_codebooks(weight_files.locate(name))
        design, wording = _design(file, flip_probability)
        before = _analyses(file, file.codewords, _probability(file), design)
        title = f"{file.path.name}, {wording}"
        out.print(codebook_table(before, title=title))
        if file.probability is None:
            out.print("no probabilities in the file: all codewords taken as equally likely")
        out.print(distance_table(before))
        out.print(size_table(before, relative_weight=RELATIVE_WEIGHT))
        after = None
        if reorder is not None and output is not None:
            orders = _orders(out, file, design, reorder)
            note = {"method": reorder, "flip_probability": design.tolist()}
            digest = write_reordered(file, orders, output, note=note)
            _say(out, f"{output}: SHA-256 {digest}")
            if file.tied_to_labels:
                tied = ", ".join(file.tied_to_labels)
                _say(out, f"left out, because it holds for the old labels only: {tied}")
            after = _analyses(
                file, _taken(file.codewords, orders), _taken(_probability(file), orders), design
            )
        path = codebook_figure(
            before, after, relative_weight=RELATIVE_WEIGHT, title=title,
            path=figure or Path(f"{file.path.stem}-codebook.png"),
        )  # fmt: skip
        _say(out, str(path))


def _check(
    flip_probability: float | None, reorder: str | None, output: Path | None, figure: Path | None
) -> None:
    """Refuse before anything is computed."""
    if flip_probability is not None and not 0 < flip_probability <= 0.5:
        raise ScenarioError(f"--eps must be above 0 and at most 0.5, got {flip_probability:g}")
    if reorder is not None and reorder not in METHODS:
        *first, last = METHODS
        raise ScenarioError(f"--reorder must be {', '.join(first)} or {last}, got {reorder}")
    if (reorder is None) != (output is None):
        given = "--output" if reorder is None else "--reorder"
        raise ScenarioError(f"--reorder and --output must be given together, got only {given}")
    for option, path, suffix in (
        ("--output", output, ".safetensors"),
        ("--figure", figure, ".png"),
    ):
        if path is not None and path.suffix != suffix:
            raise ScenarioError(f"{option} must be a {suffix} file, got {path}")
        if path is not None and not path.parent.is_dir():
            raise ScenarioError(f"{option}: its folder must exist, got {path}")


def _design(file: CodebookFile, flip_probability: float | None) -> tuple[Tensor, str]:
    """Flip probabilities ``[V, B]`` that D_ch is told for, and their name."""
    if flip_probability is None and file.flip_probability is not None:
        return file.flip_probability, "D_ch at each bit's own flip probability, mean over cells"
    eps = DEFAULT_FLIP_PROBABILITY if flip_probability is None else flip_probability
    count, size, _ = file.codewords.shape
    shape = (count, size.bit_length() - 1)
    return torch.full(shape, eps, dtype=torch.float64), f"D_ch at flip probability {eps:g}"


def _probability(file: CodebookFile) -> Tensor:
    """Probabilities ``[V, K]``: equal ones where the file holds none."""
    count, size, _ = file.codewords.shape
    return uniform(size).expand(count, -1) if file.probability is None else file.probability


def _analyses(
    file: CodebookFile, codewords: Tensor, probability: Tensor, design: Tensor
) -> list[Analysis]:
    """One for each codebook of the file."""
    return [
        analyse(
            codewords[v], probability=probability[v], design=design[v],
            flip_probability=FLIP_PROBABILITY, relative_weight=RELATIVE_WEIGHT,
        )
        for v in range(len(file.codewords))
    ]  # fmt: skip


def _orders(out: Console, file: CodebookFile, design: Tensor, method: str) -> Tensor:
    """New labels ``[V, K]`` for every codebook, and a line on each."""
    orders = []
    books: Sequence[tuple[Tensor, Tensor, Tensor]] = list(
        zip(file.codewords, _probability(file), design, strict=True)
    )
    for number, (codewords, p, flips) in enumerate(books, start=1):
        before = channel_distortion(codewords, flip_probability=flips, probability=p)
        if method == "walk":
            order, how = walk_order(codewords), "walk"
        elif method == "amplitude":
            bits = len(codewords).bit_length() - 1
            order, how = walk_order(codewords, labels=pam_levels(bits).argsort()), "amplitude"
        else:
            found = switching_order(
                codewords, flip_probability=flips, probability=p, time_limit_s=TIME_LIMIT_S
            )
            order, how = found.order, f"switching, {found.swaps} swaps"
            if not found.finished:
                how += f", stopped after {TIME_LIMIT_S:g} s"
        after = channel_distortion(codewords[order], flip_probability=flips, probability=p[order])
        _say(
            out,
            f"codebook {number}: {how}: D_ch {before:.4g} -> {after:.4g}, "
            f"gain {gain_db(after, before)} dB",
        )
        orders.append(order)
    return torch.stack(orders)


def _taken(values: Tensor, orders: Tensor) -> Tensor:
    """Values ``[V, K, ...]`` of every codebook in its new order ``[V, K]``."""
    return torch.stack([part[order] for part, order in zip(values, orders, strict=True)])


def _say(out: Console, line: str) -> None:
    out.print(line, highlight=False, markup=False, soft_wrap=True)
