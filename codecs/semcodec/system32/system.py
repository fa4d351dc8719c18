"""A trained system: network, codebooks and the tables that go with them; what a weight file holds.

Tensors of the file: ``backbone.*``; ``quantizer.codewords`` ``[V, K, d]``;
``quantizer.probability`` ``[V, K]``, how often each codeword is used on the training pictures; and
where they apply
``quantizer.rate_bias`` ``[V, K]`` (ECVQ), ``quantizer.flip_probability`` ``[V, N, B]`` and
``quantizer.distortion`` ``[V, N]``, the expected squared error of each sub-vector over binary
symmetric channels of those flip probabilities (ESC-MVQ, eq. 30 and 31).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcodec import weights
from semcodec.device import device_of
from semcodec.errors import WeightsError
from semcodec.system32.backbone import STRIDE, Backbone
from semcodec.system32.subvectors import join, nearest, split

MODEL = "system32"


@dataclass(frozen=True)
class SystemConfig:
    """The shape of a system: all that is needed to load its weights.

    Attributes:
        width: Feature maps of the network.
        latent_channels: Components C of a latent cell.
        dimension: Components d of a sub-vector; divides C.
        bits_per_index: B; a codebook has 2**B words.
        codebooks: V, codebooks of one network.
        bounded: The latents lie in (-1, 1).
        trained_as: The kind of the quantiser that it was trained with.
    """

    width: int
    latent_channels: int
    dimension: int
    bits_per_index: int
    codebooks: int
    bounded: bool
    trained_as: str

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        if self.latent_channels % self.dimension:
            raise ValueError(
                f"dimension must divide latent_channels {self.latent_channels}, "
                f"got {self.dimension}"
            )
        if not 1 <= self.bits_per_index <= 16:
            raise ValueError(f"bits_per_index must be 1 to 16, got {self.bits_per_index}")

    @property
    def per_cell(self) -> int:
        """Sub-vectors of a latent cell."""
        return self.latent_channels // self.dimension


@dataclass(frozen=True)
class Codebooks:
    """Codewords and the tables beside them; see the top of this file.

    Attributes:
        codewords: ``[V, K, d]``.
        probability: ``[V, K]``.
        rate_bias: ``[V, K]`` or None.
        flip_probability: ``[V, N, B]`` or None.
        distortion: ``[V, N]`` or None.
    """

    codewords: Tensor
    probability: Tensor
    rate_bias: Tensor | None = None
    flip_probability: Tensor | None = None
    distortion: Tensor | None = None

    def choose(self, vectors: Tensor) -> Tensor:
        """Indices ``[V, B, N]`` of sub-vectors ``[B, N, d]`` in every codebook."""
        flat = vectors.reshape(-1, vectors.shape[-1])
        bias = self.rate_bias
        chosen = [
            nearest(flat, codewords, None if bias is None else bias[v])
            for v, codewords in enumerate(self.codewords)
        ]
        return torch.stack(chosen).reshape(len(chosen), *vectors.shape[:2])

    def lookup(self, indices: Tensor, codebooks: Tensor) -> Tensor:
        """Codewords ``[B, N, d]`` of indices ``[B, N]`` of the codebooks ``[B, N]`` or ``[N]``."""
        return self.codewords[codebooks.expand_as(indices), indices]


class System(nn.Module):
    """A system that is used, not trained: pictures ``[B, 3, H, W]``, sides multiples of four.

    The codebooks stay on the processor wherever the network is.
    """

    def __init__(self, config: SystemConfig, backbone: Backbone, codebooks: Codebooks) -> None:
        """Put the parts together."""
        super().__init__()
        self.config, self.codebooks = config, codebooks
        self.backbone = backbone.requires_grad_(False).eval()
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Sub-vectors ``[B, N, d]`` before quantisation."""
        there = pictures.to(device_of(self.backbone))
        latents = self.backbone.encode(there.contiguous(memory_format=torch.channels_last))
        return split(latents, self.config.dimension).cpu()

    @torch.no_grad()
    def decode(self, vectors: Tensor, *, height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]`` of codewords ``[B, N, d]``, not clipped."""
        latents = join(
            vectors,
            channels=self.config.latent_channels,
            height=height // STRIDE,
            width=width // STRIDE,
        )
        there = latents.to(device_of(self.backbone))
        return self.backbone.decode(there.contiguous(memory_format=torch.channels_last)).cpu()

    def tensors(self) -> dict[str, Tensor]:
        """By the names of the weight file."""
        parts = {f"backbone.{k}": t for k, t in self.backbone.state_dict().items()}
        tables = vars(self.codebooks)
        return parts | {f"quantizer.{k}": t for k, t in tables.items() if t is not None}


def save_system(path: Path, system: System, *, training: Mapping[str, Any]) -> str:
    """Write a weight file; return its digest."""
    config = asdict(system.config)
    return weights.save(path, system.tensors(), model=MODEL, config=config, training=training)


def load_system(name_or_path: str) -> tuple[System, weights.Weights]:
    """A system from shipped weights by name or from a ``.safetensors`` file by path.

    Raises:
        WeightsError: There is no such file, or it does not hold a system that fits its config.
    """
    path = weights.locate(name_or_path)
    content = weights.load(path, model=MODEL)
    try:
        config = SystemConfig(**content.config)
        backbone = Backbone(config.width, config.latent_channels, bounded=config.bounded)
        prefix = "backbone."
        state = {
            k.removeprefix(prefix): t for k, t in content.tensors.items() if k.startswith(prefix)
        }
        backbone.load_state_dict(state)
        tables = {k: t for k, t in content.tensors.items() if not k.startswith(prefix)}
        codebooks = Codebooks(**{k.removeprefix("quantizer."): t for k, t in tables.items()})
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path.name} must fit the network it names, got {str(error).splitlines()[0]}"
        ) from error
    shape = (config.codebooks, 2**config.bits_per_index, config.dimension)
    if codebooks.codewords.shape != shape or codebooks.probability.shape != shape[:2]:
        raise WeightsError(
            f"{path.name} must have codewords {list(shape)} and their probabilities, "
            f"got {list(codebooks.codewords.shape)} and {list(codebooks.probability.shape)}"
        )
    return System(config, backbone, codebooks), content
