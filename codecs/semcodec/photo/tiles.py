"""Pictures of any size through fully convolutional networks: padding, and tiles that overlap.

A network of stride ``multiple`` wants sides that are its multiples, and memory for every feature
map of the whole picture. Cut with a margin that covers the receptive field, a tile gives in its
middle exactly what the whole picture gives there::

    |<------ tile: start ... stop ------>|
    |  margin |  kept cells   |  margin  |     no margin at an edge of the picture, where the
              |<------------->|                network sees its own padding either way
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor
from torch.nn import functional as F

MAX_PIXELS = 2**21
"""Pixels that a network sees at once; larger pictures are cut into tiles."""


def pad_to_multiple(pictures: Tensor, *, multiple: int) -> Tensor:
    """Pictures ``[B, C, H, W]`` continued by their last row and column to multiples of a number.

    >>> import torch
    >>> pad_to_multiple(torch.rand(1, 3, 17, 32), multiple=16).shape
    torch.Size([1, 3, 32, 32])
    """
    height, width = pictures.shape[-2:]
    return F.pad(pictures, (0, -width % multiple, 0, -height % multiple), mode="replicate")


@dataclass(frozen=True)
class PaddedGrid:
    """The cells of a padded picture.

    Attributes:
        rows: Cells from top to bottom.
        columns: Cells from left to right.
        padded_cells: Those of them that reach beyond the picture.
        empty_cells: Those of them that hold none of its pixels.
    """

    rows: int
    columns: int
    padded_cells: int
    empty_cells: int


def padded_grid(height: int, width: int, *, stride: int, multiple: int) -> PaddedGrid:
    """Count the cells of ``stride`` x ``stride`` pixels after padding to ``multiple``.

    Raises:
        ValueError: ``stride`` does not divide ``multiple``.

    >>> padded_grid(17, 32, stride=4, multiple=16)
    PaddedGrid(rows=8, columns=8, padded_cells=32, empty_cells=24)
    """
    if multiple % stride:
        raise ValueError(f"stride must divide multiple {multiple}, got {stride}")
    rows, columns = ((side + -side % multiple) // stride for side in (height, width))
    whole = (height // stride) * (width // stride)
    touched = -(-height // stride) * -(-width // stride)
    return PaddedGrid(rows, columns, rows * columns - whole, rows * columns - touched)


@dataclass(frozen=True)
class Span:
    """One tile along one side, in pixels: cut ``start:stop``, of it ``kept_start:kept_stop``."""

    start: int
    stop: int
    kept_start: int
    kept_stop: int


@dataclass(frozen=True)
class TilePlan:
    """Tiles of a picture: every row span with every column span.

    Attributes:
        height: Of the padded picture.
        width: Of the padded picture.
        multiple: Divides every number of the spans.
        rows: From top to bottom; what they keep covers the height once.
        columns: From left to right, likewise.
    """

    height: int
    width: int
    multiple: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    @property
    def max_pixels(self) -> int:
        """Pixels of the largest tile."""
        return _longest(self.rows) * _longest(self.columns)

    @property
    def pixels(self) -> int:
        """Pixels of all tiles together: height x width and the overlaps."""
        return _total(self.rows) * _total(self.columns)


def plan_tiles(height: int, width: int, *, multiple: int, margin: int, max_pixels: int) -> TilePlan:
    """The tiles that compute the fewest pixels with at most ``max_pixels`` in each.

    Args:
        height: Of the picture, a multiple of ``multiple``: pad first.
        width: Likewise.
        multiple: Stride of the network's coarsest cells.
        margin: Pixels that the network looks beyond a cell on any side; cut to whole multiples,
            rounded up.
        max_pixels: Of a tile with its margins.

    Raises:
        ValueError: A side is no multiple, or no tile is small enough.

    >>> plan = plan_tiles(64, 160, multiple=16, margin=10, max_pixels=64 * 100)
    >>> [(span.start, span.stop, span.kept_start, span.kept_stop) for span in plan.columns]
    [(0, 96, 0, 80), (64, 160, 80, 160)]
    """
    for name, side in (("height", height), ("width", width)):
        if side <= 0 or side % multiple:
            raise ValueError(f"{name} must be a positive multiple of {multiple}, got {side}")
    if margin < 0:
        raise ValueError(f"margin must be at least 0, got {margin}")
    rows = _choices(height, multiple=multiple, margin=margin)
    columns = _choices(width, multiple=multiple, margin=margin)
    plans = [TilePlan(height, width, multiple, r, c) for r in rows for c in columns]
    fitting = [plan for plan in plans if plan.max_pixels <= max_pixels]
    if not fitting:
        least = min(plan.max_pixels for plan in plans)
        raise ValueError(
            f"max_pixels must be at least {least} for {width} x {height} pixels "
            f"with a margin of {margin}, got {max_pixels}"
        )
    return min(fitting, key=lambda plan: plan.pixels)


def _longest(spans: Sequence[Span]) -> int:
    return max(span.stop - span.start for span in spans)


def _total(spans: Sequence[Span]) -> int:
    return sum(span.stop - span.start for span in spans)


def _choices(side: int, *, multiple: int, margin: int) -> list[tuple[Span, ...]]:
    """Ways to cut a side into even parts, each with a shorter longest span than those before."""
    cells, reach = side // multiple, -(-margin // multiple) * multiple
    choices: list[tuple[Span, ...]] = []
    for count in range(1, cells + 1):
        ends = [i * cells // count * multiple for i in range(count + 1)]
        spans = tuple(
            Span(max(0, a - reach), min(side, b + reach), a, b) for a, b in pairwise(ends)
        )
        if not choices or _longest(spans) < _longest(choices[-1]):
            choices.append(spans)
    return choices


def run_tiled(
    function: Callable[[list[Tensor]], Sequence[Tensor]],
    inputs: Sequence[Tensor],
    *,
    plan: TilePlan,
) -> list[Tensor]:
    """What ``function(inputs)`` gives, computed tile by tile.

    Pictures, features and index grids are told apart by their last two sides alone: a tensor of
    stride f is ``[..., plan.height / f, plan.width / f]``. So the same call encodes (a picture to
    grids of several scales) and decodes (grids to a picture).

    Args:
        function: From tensors of a tile to tensors of the same tile; it has to give each cell
            the same value wherever the tile lies, as convolutions do.
        inputs: Tensors of the whole padded picture.
        plan: Where to cut.

    Returns:
        The outputs of the whole padded picture, on the device of the tiles' outputs.

    Raises:
        ValueError: The sides of an input or output do not divide those of its picture alike.
    """
    strides = [_stride(t, plan.height, plan.width, plan.multiple) for t in inputs]
    outputs: list[Tensor] = []
    for row in plan.rows:
        for column in plan.columns:
            tile = [
                t[..., row.start // f : row.stop // f, column.start // f : column.stop // f]
                for t, f in zip(inputs, strides, strict=True)
            ]
            parts = function(tile)
            height, width = row.stop - row.start, column.stop - column.start
            factors = [_stride(part, height, width, plan.multiple) for part in parts]
            if not outputs:
                outputs = [
                    part.new_empty((*part.shape[:-2], plan.height // f, plan.width // f))
                    for part, f in zip(parts, factors, strict=True)
                ]
            for whole, part, f in zip(outputs, parts, factors, strict=True):
                top, bottom = row.kept_start // f, row.kept_stop // f
                left, right = column.kept_start // f, column.kept_stop // f
                y, x = row.start // f, column.start // f
                kept = part[..., top - y : bottom - y, left - x : right - x]
                whole[..., top:bottom, left:right] = kept
    return outputs


def in_tiles(
    function: Callable[[list[Tensor]], Sequence[Tensor]],
    inputs: Sequence[Tensor],
    *,
    height: int,
    width: int,
    multiple: int,
    margin: int,
) -> list[Tensor]:
    """As `run_tiled` where the padded picture has more than `MAX_PIXELS`, else at once."""
    if height * width <= MAX_PIXELS:
        return list(function(list(inputs)))
    plan = plan_tiles(height, width, multiple=multiple, margin=margin, max_pixels=MAX_PIXELS)
    return run_tiled(function, inputs, plan=plan)


def _stride(tensor: Tensor, height: int, width: int, multiple: int) -> int:
    rows, columns = tensor.shape[-2:]
    stride = height // rows if rows else 0
    if not stride or multiple % stride or (rows * stride, columns * stride) != (height, width):
        raise ValueError(
            f"a tensor of {width} x {height} pixels must have sides that divide them by one "
            f"divisor of {multiple}, got {list(tensor.shape)}"
        )
    return stride
