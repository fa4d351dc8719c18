"""VQ-DeepSC as the photo task trains it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcodec.photo.vq_deepsc import VqDeepScConfig, VqDeepScNetwork, VqDeepScOutput
from semcodec.photo.vq_deepsc_codec import MODEL
from semcodec.training.photo_task import Pass
from semcodec.training.ranks import ALONE, Ranks
from semcodec.training.subject_weights import fresh, save_network

COMMITMENT = 0.25
"""beta_c of eq. 8."""


class VqDeepScSubject:
    """The network without quantisation first, then with codebooks placed by k-means.

    Args:
        config: The network.
        quantize_from: Fraction of the steps after which quantisation begins.
        commitment: Weight of the commitment loss of all scales.
        seed: Of the fresh weights.
        start: Weights to begin from; all tensors of the same name and shape are taken.
    """

    def __init__(
        self,
        config: VqDeepScConfig,
        *,
        quantize_from: float = 0.1,
        commitment: float = COMMITMENT,
        seed: int,
        start: Path | None = None,
    ) -> None:
        """Build the network."""
        self._network = fresh(lambda: VqDeepScNetwork(config), seed=seed, start=start)
        self._quantize_from, self._commitment = quantize_from, commitment
        self._quantizing = False
        self._last: VqDeepScOutput | None = None

    @property
    def network(self) -> nn.Module:
        """All of it."""
        return self._network

    def parameters(self) -> Iterable[nn.Parameter]:
        """All of them."""
        return self._network.parameters()

    def prepare(self, pictures: Tensor, *, progress: float, generator: torch.Generator) -> None:
        """Place the codebooks when their time has come."""
        if not self._quantizing and progress >= self._quantize_from:
            self._network.place(pictures, iterations=10, generator=generator)
            self._quantizing = True

    def train_pass(
        self, pictures: Tensor, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Pass:
        """With quantisation once it has begun."""
        if not self._quantizing:
            features = self._network.encoder(pictures)
            power = torch.stack([f.square().mean() for f in features]).sum()
            return Pass(self._network.decoder(features), 1e-3 * power, {"power": power.item()})
        self._last = output = self._network(pictures)
        values = {"commitment": output.commitment.item()}
        return Pass(output.pictures, self._commitment * output.commitment, values)

    def after_step(
        self, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Mapping[str, float]:
        """Codebooks move, dead codewords are revived until 80 % of the steps."""
        if self._last is None:
            return {}
        last = _whole(self._last, ranks)
        self._network.update(last)
        revived = 0
        if progress < 0.8:
            revived = self._network.revive(last, threshold=0.03, generator=generator)
        self._last = None
        return {"revived": float(revived)}

    def reconstruct(self, pictures: Tensor, *, generator: torch.Generator) -> Mapping[str, Tensor]:
        """As received without errors."""
        if not self._quantizing:
            return {"clean": self._network.decoder(self._network.encoder(pictures))}
        return {"clean": self._network(pictures).pictures}

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Without the running sums of the codebooks."""
        save_network(path, self._network, MODEL, asdict(self._network.config), training)

    def state_dict(self) -> dict[str, Any]:
        """Whether there is quantisation yet."""
        return {"quantizing": self._quantizing}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._quantizing = state["quantizing"]


def _whole(output: VqDeepScOutput, ranks: Ranks) -> VqDeepScOutput:
    """Features and indices of all ranks: what the codebooks move by."""
    return replace(
        output,
        features=tuple(ranks.whole(feature.detach()) for feature in output.features),
        quantized=tuple(replace(q, indices=ranks.whole(q.indices)) for q in output.quantized),
    )
