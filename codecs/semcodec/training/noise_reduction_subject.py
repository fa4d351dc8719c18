"""MOC-RVQ's second stage as the photo task trains it: the noise reduction block."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcodec import weights
from semcodec.photo.amplitude_channel import receive_indices
from semcodec.photo.moc import straight_through
from semcodec.photo.moc_rvq import MocRvqConfig, MocRvqNetwork
from semcodec.photo.moc_rvq_codec import MODEL
from semcodec.photo.noise_reduction import NoiseReductionConfig, noise_reduction_loss
from semcodec.training.photo_task import Pass
from semcodec.training.ranks import ALONE, Ranks
from semcodec.training.subject_weights import fresh, save_network

VALIDATED_AT = (0.0, 10.0, 20.0)
"""Es/N0 [dB] of the pictures for validation."""


class NoiseReductionSubject:
    """Everything frozen but the block, over AWGN and hard decisions on the axes of 64-QAM.

    Args:
        start: Weights of the first stage.
        block: The block; its channels are those of the latents.
        labels: int64 ``[K]``: the index that each amplitude of an axis stands for, rising.
        reorder: Order the codebooks along the amplitudes before training (Algorithm 1).
        esn0_db: Least and largest Es/N0 in training; each picture has its own between them.
        weight: Of eq. 10 beside the loss of the pictures.
        fewer_levels: Share of batches that are sent with fewer levels than there are, each number
            as often.
        seed: Of the fresh block.
    """

    def __init__(
        self,
        *,
        start: Path,
        block: NoiseReductionConfig,
        labels: Tensor,
        reorder: bool,
        esn0_db: tuple[float, float] = (-5.0, 30.0),
        weight: float = 1.0,
        fewer_levels: float = 0.0,
        seed: int,
    ) -> None:
        """Build the network, with the weights of the first stage."""
        if esn0_db[0] > esn0_db[1]:
            raise ValueError(f"esn0_db must be the least and the largest, got {list(esn0_db)}")
        first = MocRvqConfig.read(**weights.load(start, model=MODEL).config)
        config = replace(first, noise_reduction=block)
        self._network = fresh(lambda: MocRvqNetwork(config), seed=seed, start=start)
        self._network.requires_grad_(False)
        assert self._network.noise_reduction is not None
        self._block = self._network.noise_reduction.requires_grad_(True)
        if reorder:
            self._network.quantizer.reorder(labels=labels)
        self._labels, self._esn0_db, self._weight = labels, esn0_db, weight
        self._fewer_levels = fewer_levels

    @property
    def network(self) -> nn.Module:
        """All of it."""
        return self._network

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the block."""
        return self._block.parameters()

    def prepare(self, pictures: Tensor, *, progress: float, generator: torch.Generator) -> None:
        """Nothing to prepare."""

    def train_pass(
        self, pictures: Tensor, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Pass:
        """Noise, codewords of the indices received, the block, quantisation again."""
        low, high = self._esn0_db
        drawn = torch.rand(ranks.size * len(pictures), generator=generator)
        esn0_db = low + (high - low) * drawn
        levels = most = self._network.config.levels
        if float(torch.rand((), generator=generator)) < self._fewer_levels:
            levels = int(torch.randint(1, most + 1, (), generator=generator))
        refined, clean = self._refined(pictures, esn0_db, generator, levels, ranks)
        feature = noise_reduction_loss(refined, clean)
        again = self._network.quantizer.quantize(refined, levels=levels).vectors
        output = self._network.autoencoder.decode(straight_through(refined, again))
        return Pass(output, self._weight * feature, {"feature": feature.item()})

    def _refined(
        self,
        pictures: Tensor,
        esn0_db: Tensor,
        generator: torch.Generator,
        levels: int | None = None,
        ranks: Ranks = ALONE,
    ) -> tuple[Tensor, Tensor]:
        """Latents after the block, and without noise; ``esn0_db`` is that of all ranks."""
        with torch.no_grad():
            indices = self._network.encode(pictures, levels=levels)
            received = receive_indices(
                ranks.whole(indices), labels=self._labels, esn0_db=esn0_db, generator=generator
            )
            received = ranks.part(received)
            noisy = self._network.quantizer.lookup(received)
            clean = self._network.quantizer.lookup(indices)
        return self._network.refine(noisy), clean

    def after_step(
        self, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Mapping[str, float]:
        """Nothing."""
        return {}

    def reconstruct(self, pictures: Tensor, *, generator: torch.Generator) -> Mapping[str, Tensor]:
        """As received at some Es/N0."""
        outputs = {}
        for esn0_db in VALIDATED_AT:
            level = torch.full((len(pictures),), esn0_db)
            refined, _ = self._refined(pictures, level, generator)
            again = self._network.quantizer.quantize(refined).vectors
            outputs[f"{esn0_db:g}db"] = self._network.autoencoder.decode(again)
        return outputs

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Without the running sums of the codebooks."""
        save_network(path, self._network, MODEL, asdict(self._network.config), training)

    def state_dict(self) -> dict[str, Any]:
        """Nothing beside the network."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
