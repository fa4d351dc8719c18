"""The noise reduction block: residual Swin Transformer layers on received latents, and its loss.

::

    x [C, h, w] -> conv -> groups -> norm -> conv -> + x       group = windowed layers, conv, + skip

Every second layer's windows are shifted by half a window. The last convolution starts at zero, so
that the block starts as the identity.

Sources: "MOC-RVQ: Multilevel codebook-assisted digital generative semantic communication", section
III-B and eq. 10; Liu et al., "Swin Transformer" (2021), eq. 1-4; Liang et al., "SwinIR" (2021),
section 3.1, the residual Swin Transformer block.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EXPANSION = 2
"""Width of the hidden layer of a multilayer perceptron over its input's, as in SwinIR."""


@dataclass(frozen=True)
class NoiseReductionConfig:
    """The shape of the block: all that is needed to load its weights.

    Attributes:
        channels: Components C of the latents.
        width: Components inside; a multiple of ``heads``.
        depth: Residual groups of layers.
        layers: Windowed layers of a group; every second one is shifted.
        heads: Heads of the attention.
        window: Cells along each side of a window; even.
    """

    channels: int = 32
    width: int = 96
    depth: int = 2
    layers: int = 4
    heads: int = 4
    window: int = 8

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        for name in ("channels", "width", "depth", "layers", "heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"heads must divide width {self.width}, got {self.heads}")
        if self.window < 2 or self.window % 2:
            raise ValueError(f"window must be even and at least 2, got {self.window}")


def to_windows(cells: Tensor, window: int) -> Tensor:
    """Windows ``[B, N, window**2, c]`` of cells ``[B, h, w, c]``, row by row.

    >>> to_windows(torch.arange(8).reshape(1, 2, 4, 1), 2)[0, :, :, 0].tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    batch, height, width, channels = cells.shape
    tiles = cells.reshape(batch, height // window, window, width // window, window, channels)
    return tiles.transpose(2, 3).reshape(batch, -1, window * window, channels)


def from_windows(windows: Tensor, *, height: int, width: int) -> Tensor:
    """The inverse of `to_windows`: cells ``[B, height, width, c]``."""
    batch, _, area, channels = windows.shape
    side = round(area**0.5)
    tiles = windows.reshape(batch, height // side, width // side, side, side, channels)
    return tiles.transpose(2, 3).reshape(batch, height, width, channels)


def strangers(*, height: int, width: int, window: int, shift: int) -> Tensor:
    """Which cells of a window must not see each other, bool ``[N, window**2, window**2]``.

    The grid of ``height`` x ``width`` cells is continued to whole windows and rolled up and left
    by ``shift``. Strangers are cells that only the roll made neighbours, and cells of the
    continuation to those of the grid.

    >>> strangers(height=2, width=3, window=2, shift=0)[1].int().tolist()
    [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    """
    rows, columns = (
        torch.arange(-(-side // window) * window).roll(-shift) for side in (height, width)
    )
    kind = 2 * (rows < shift)[:, None].int() + (columns < shift).int()
    outside = (rows >= height)[:, None] | (columns >= width)
    kind = kind.masked_fill(outside, -1)
    windows = to_windows(kind[None, :, :, None], window)[0, :, :, 0]
    return windows[:, :, None] != windows[:, None, :]


class _WindowAttention(nn.Module):
    """softmax(q k^T / sqrt(d) + bias of the relative position) v, inside each window."""

    places: Tensor

    def __init__(self, width: int, *, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.last = nn.Linear(width, width)
        self.position_bias = nn.Parameter(0.02 * torch.randn((2 * window - 1) ** 2, heads))
        cells = torch.cartesian_prod(torch.arange(window), torch.arange(window))
        offsets = cells[:, None] - cells + window - 1
        places = offsets[..., 0] * (2 * window - 1) + offsets[..., 1]
        self.register_buffer("places", places, persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Cells ``[B, h, w, width]``."""
        _, height, width, channels = cells.shape
        padded = F.pad(cells, (0, 0, 0, -width % self.window, 0, -height % self.window))
        rolled = padded.roll((-self.shift, -self.shift), (1, 2))
        windows = to_windows(rolled, self.window)  # [B, N, L, width]
        parts = self.queries_keys_values(windows).unflatten(3, (3, self.heads, -1))
        queries, keys, values = parts.permute(3, 0, 1, 4, 2, 5)  # each [B, N, heads, L, d]
        mask = strangers(height=height, width=width, window=self.window, shift=self.shift)
        bias = self.position_bias[self.places].permute(2, 0, 1)
        bias = bias.masked_fill(mask.to(cells.device)[:, None], -torch.inf)  # [N, heads, L, L]
        scores = queries @ keys.transpose(3, 4) * (channels // self.heads) ** -0.5 + bias
        seen = (scores.softmax(4) @ values).transpose(2, 3).flatten(3)
        joined = from_windows(self.last(seen), height=padded.shape[1], width=padded.shape[2])
        return joined.roll((self.shift, self.shift), (1, 2))[:, :height, :width]


class _Layer(nn.Module):
    """x + attention(norm(x)), then x + perceptron(norm(x)): Liu et al., eq. 3."""

    def __init__(self, config: NoiseReductionConfig, *, shift: int) -> None:
        super().__init__()
        width = config.width
        self.attention = nn.Sequential(
            nn.LayerNorm(width),
            _WindowAttention(width, heads=config.heads, window=config.window, shift=shift),
        )
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, _EXPANSION * width),
            nn.GELU(),
            nn.Linear(_EXPANSION * width, width),
        )

    def forward(self, cells: Tensor) -> Tensor:
        cells = cells + self.attention(cells)
        return cells + self.perceptron(cells)  # type: ignore[no-any-return]


class _Group(nn.Module):
    """x + conv3x3(layers(x)): Liang et al., eq. 8."""

    def __init__(self, config: NoiseReductionConfig) -> None:
        super().__init__()
        shifts = [config.window // 2 * (layer % 2) for layer in range(config.layers)]
        self.layers = nn.Sequential(*[_Layer(config, shift=shift) for shift in shifts])
        self.last = nn.Conv2d(config.width, config.width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.layers(x.movedim(1, 3)).movedim(3, 1))  # type: ignore[no-any-return]


class NoiseReduction(nn.Module):
    """Received latents ``[B, C, h, w]`` to refined ones, of any h and w.

    >>> block = NoiseReduction(NoiseReductionConfig(channels=4, width=8, depth=1, layers=2))
    >>> latents = torch.randn(2, 4, 5, 9)
    >>> torch.equal(block(latents), latents)
    True
    """

    def __init__(self, config: NoiseReductionConfig) -> None:
        """Build the block with fresh weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.first = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.groups = nn.Sequential(*[_Group(config) for _ in range(config.depth)])
        self.norm = nn.LayerNorm(config.width)
        self.last = nn.Conv2d(config.width, config.channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, latents: Tensor) -> Tensor:
        """z_r, the refined latents ``[B, C, h, w]``."""
        inside = self.groups(self.first(latents))
        return latents + self.last(self.norm(inside.movedim(1, 3)).movedim(3, 1))  # type: ignore[no-any-return]


def gram(features: Tensor) -> Tensor:
    """Gram matrices ``[B, C, C]``, F F^T / (C h w), of features ``[B, C, h, w]``.

    >>> gram(torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)).tolist()
    [[[0.5, 1.0], [1.0, 2.0]]]
    """
    rows = features.flatten(2)
    return rows @ rows.transpose(1, 2) / (rows.shape[1] * rows.shape[2])


def gram_loss(features: Tensor, target: Tensor) -> Tensor:
    """||psi(features) - psi(target)||^2, mean over the batch, without gradient to the target."""
    return (gram(features) - gram(target.detach())).square().sum((1, 2)).mean()


def noise_reduction_loss(features: Tensor, target: Tensor, *, alpha: float = 0.25) -> Tensor:
    """L_NR of MOC-RVQ, eq. 10: `gram_loss` + alpha ||features - target||^2.

    The second norm is taken per component, so that neither term depends on the picture's size.

    Args:
        features: The refined latents ``[B, C, h, w]``.
        target: z_q, the latents quantised without noise; gets no gradient.
        alpha: Weight of the second term.

    Returns:
        Scalar, mean over the batch.

    >>> x = torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)
    >>> noise_reduction_loss(x, torch.zeros_like(x)).item()  # 0.25 + 1 + 1 + 4 and 0.25 * 2.5
    6.875
    """
    return gram_loss(features, target) + alpha * F.mse_loss(features, target.detach())
