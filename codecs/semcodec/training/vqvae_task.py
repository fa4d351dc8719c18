"""Training of the fully convolutional VQ-VAE on photographs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from semcodec import weights
from semcodec.training.photos import Photos
from semcodec.training.ranks import ALONE, Ranks
from semcodec.vq.vqvae import VqVae, VqVaeConfig

MODEL = "vqvae"


@dataclass(frozen=True)
class VqVaeTraining:
    """Choices of the training that are not the network's.

    Attributes:
        batch: Crops per step.
        learning_rate: Peak of Adam's rate; it warms up over 1 % and falls along a cosine.
        commitment: Weight beta of the commitment loss, in units of the mean squared error of
            latents; 0.25 in the source.
        codebook_start: Fraction of the steps after which the codebook is placed by k-means and
            quantisation begins; the autoencoder learns without it before.
        dead_below: Fraction of the mean use under which a codeword is revived.
        revive_every: Steps between revivals, until 80 % of the steps.
    """

    batch: int = 32
    learning_rate: float = 1e-3
    commitment: float = 0.25
    codebook_start: float = 0.03
    dead_below: float = 0.03
    revive_every: int = 50

    def rate(self, progress: float) -> float:
        """The learning rate at ``progress`` in [0, 1)."""
        fall = 0.5 * (1 + math.cos(math.pi * progress))
        return self.learning_rate * min(1.0, progress / 0.01) * max(fall, 0.01)


class VqVaeTask:
    """Network, optimiser and data behind the verbs of the training loop.

    The loss is MSE / 0.05 + beta ||z - sg(e)||^2: 0.05 is about the variance of photographs in
    [0, 1], so that the two terms are of one scale (van den Oord et al., 2017).
    """

    def __init__(
        self,
        config: VqVaeConfig,
        training: VqVaeTraining,
        *,
        train: Photos,
        validation: Photos,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """Build a fresh network from the seed; ``ranks`` share its batches."""
        self.ranks = ranks
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = VqVae(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.training = training
        self.train_photos = train
        self.validation_pictures = validation.centres()
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=training.learning_rate)
        self.step = 0
        self.quantizing = False

    def train_step(self, *, progress: float, generator: torch.Generator) -> Mapping[str, float]:
        """One step of Adam and, once it has started, one of the codebook."""
        choices, network = self.training, self.network
        pictures = self.ranks.part(self.train_photos.batch(choices.batch, generator=generator))
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = choices.rate(progress)
        if not self.quantizing and progress >= choices.codebook_start:
            with torch.no_grad():
                sample = self.train_photos.batch(8 * choices.batch, generator=generator)
                parts = torch.split(sample, choices.batch)
                latents = torch.cat([network.encode(part) for part in parts])
            network.codebook.restart(latents, iterations=10, generator=generator)
            self.quantizing = True

        revived = 0
        if self.quantizing:
            output, latents, quantized = network(pictures)
            commitment = quantized.commitment
        else:
            latents = network.encode(pictures)
            output, commitment = network.decode(latents), latents.square().mean() * 0.01
        error = F.mse_loss(output, pictures)
        loss = error / 0.05 + choices.commitment * commitment
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.ranks.average_gradients(network.parameters())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self.optimizer.step()
        if self.quantizing:
            latents = self.ranks.whole(latents.detach())
            network.codebook.update(latents, self.ranks.whole(quantized.indices))
            if self.step % choices.revive_every == 0 and progress < 0.8:
                revived = network.codebook.revive(
                    latents, threshold=choices.dead_below, generator=generator
                )
            self.ranks.follow_first(network.buffers())
        self.step += 1
        return {
            "mse": error.item(),
            "commitment": commitment.item(),
            "revived": float(revived),
            "learning_rate": choices.rate(progress),
        }

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Mean squared error, mean PSNR [dB] and codebook use on the validation crops."""
        psnr_db, errors = [], []
        counts = torch.zeros(self.network.config.codebook_size)
        for picture in torch.split(self.validation_pictures, 1):
            output, _, quantized = self.network(picture)
            error = F.mse_loss(output.clamp(0, 1), picture).item()
            errors.append(error)
            psnr_db.append(-10 * math.log10(max(error, 1e-10)))
            counts += torch.bincount(quantized.indices.reshape(-1), minlength=len(counts))
        use = counts / counts.sum()
        perplexity = torch.exp(-(use * use.clamp(min=1e-12).log()).sum()).item()
        return {
            "loss": sum(errors) / len(errors),
            "psnr_db": sum(psnr_db) / len(psnr_db),
            "perplexity": perplexity,
            "codewords_used": float((counts > 0).sum()),
        }

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Write the network's weights without the codebook's running sums."""
        tensors: dict[str, Tensor] = {
            name: tensor
            for name, tensor in self.network.state_dict().items()
            if name not in ("codebook.counts", "codebook.sums")
        }
        weights.save(
            path, tensors, model=MODEL, config=asdict(self.network.config), training=training
        )

    def state_dict(self) -> dict[str, Any]:
        """Network, codebook, optimiser and counters."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "quantizing": self.quantizing,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.quantizing = state["step"], state["quantizing"]
