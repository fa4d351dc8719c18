"""MOC-RVQ's first stage as the photo task trains it: autoencoder and codebooks without noise."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from semcodec.photo.moc_rvq import MocRvqConfig, MocRvqNetwork, MocRvqOutput
from semcodec.photo.moc_rvq_codec import MODEL
from semcodec.training.photo_task import Pass
from semcodec.training.ranks import ALONE, Ranks
from semcodec.training.subject_weights import fresh, save_network
from semcodec.vgg import CHANNELS, Vgg19


class MocRvqSubject:
    """The network without quantisation first, then with codebooks placed by k-means.

    Args:
        config: The network, without a noise reduction block.
        quantize_from: Fraction of the steps after which quantisation begins.
        commitment: Weight of the commitment loss.
        fewer_levels: Share of pictures that are quantised with fewer levels than there are, each
            number as often, so that the first levels alone make a picture.
        guide: VGG19 with the weight of the squared distance between its features and the latents
            behind a 1 x 1 convolution that is trained along (MOC-RVQ, eq. 8); None to do without.
        seed: Of the fresh weights.
        start: Weights to begin from; all tensors of the same name and shape are taken.
    """

    def __init__(
        self,
        config: MocRvqConfig,
        *,
        quantize_from: float = 0.1,
        commitment: float = 0.25,
        fewer_levels: float = 0.5,
        guide: tuple[Vgg19, float] | None = None,
        seed: int,
        start: Path | None = None,
    ) -> None:
        """Build the network."""
        self._network = fresh(lambda: MocRvqNetwork(config), seed=seed, start=start)
        self._quantize_from, self._commitment = quantize_from, commitment
        self._fewer_levels = fewer_levels
        self._guide = guide
        channels = config.autoencoder.latent_channels
        self._align = None
        if guide is not None:
            self._align = fresh(lambda: nn.Conv2d(channels, CHANNELS, 1), seed=seed, start=None)
        self._quantizing = False
        self._last: MocRvqOutput | None = None

    @property
    def network(self) -> nn.Module:
        """All of it."""
        return self._network

    def parameters(self) -> Iterable[nn.Parameter]:
        """All of the network, and those of the guide's convolution."""
        yield from self._network.parameters()
        if self._align is not None:
            yield from self._align.parameters()

    def prepare(self, pictures: Tensor, *, progress: float, generator: torch.Generator) -> None:
        """Place the codebooks when their time has come."""
        if not self._quantizing and progress >= self._quantize_from:
            with torch.no_grad():
                latents = self._network.autoencoder.encode(pictures)
            self._network.quantizer.restart(latents, iterations=10, generator=generator)
            self._quantizing = True

    def train_pass(
        self, pictures: Tensor, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Pass:
        """With quantisation once it has begun."""
        autoencoder = self._network.autoencoder
        if not self._quantizing:
            latents = autoencoder.encode(pictures)
            power = latents.square().mean()
            guidance, values = self._guidance(latents, pictures)
            return Pass(
                autoencoder.decode(latents),
                1e-3 * power + guidance,
                {"power": power.item()} | values,
            )
        most = self._network.config.levels
        count = ranks.size * len(pictures)
        fewer = torch.rand(count, generator=generator) < self._fewer_levels
        drawn = torch.randint(1, most + 1, (count,), generator=generator)
        levels = ranks.part(torch.where(fewer, drawn, most))
        self._last = output = self._network(pictures, levels=levels)
        guidance, values = self._guidance(output.latents, pictures)
        values = {"commitment": output.quantized.commitment.item()} | values
        loss = self._commitment * output.quantized.commitment + guidance
        return Pass(output.pictures, loss, values)

    def _guidance(self, latents: Tensor, pictures: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Second term of eq. 8, per component, and its value without its weight."""
        if self._guide is None or self._align is None:
            return latents.new_zeros(()), {}
        features, weight = self._guide
        with torch.no_grad():
            wanted = features(pictures)
        distance = (self._align(latents) - wanted).square().mean()
        return weight * distance, {"guidance": distance.item()}

    def after_step(
        self, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Mapping[str, float]:
        """Codebooks move, dead codewords are revived until 80 % of the steps."""
        if self._last is None:
            return {}
        latents, quantizer = ranks.whole(self._last.latents.detach()), self._network.quantizer
        quantizer.update(latents, ranks.whole(self._last.quantized.indices))
        revived = 0
        if progress < 0.8:
            revived = quantizer.revive(latents, threshold=0.03, generator=generator)
        energy = self._last.quantized.residual_energy
        self._last = None
        return {"revived": float(revived), "residual": energy[-1].item()}

    def reconstruct(self, pictures: Tensor, *, generator: torch.Generator) -> Mapping[str, Tensor]:
        """As received without errors, with each number of levels."""
        network = self._network
        if not self._quantizing:
            return {"clean": network.autoencoder.decode(network.autoencoder.encode(pictures))}
        most = network.config.levels
        return {f"l{n}": network(pictures, levels=n).pictures for n in range(1, most + 1)}

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Without the running sums of the codebooks."""
        save_network(path, self._network, MODEL, asdict(self._network.config), training)

    def state_dict(self) -> dict[str, Any]:
        """Whether there is quantisation yet, and the guide's convolution."""
        align = self._align.state_dict() if self._align is not None else {}
        return {"quantizing": self._quantizing, "align": align}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._quantizing = state["quantizing"]
        if self._align is not None:
            self._align.load_state_dict(state["align"])
