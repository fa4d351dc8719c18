"""Training of the systems for photographs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.training.adversary import Adversary
from semcodec.training.averaged import Averaged
from semcodec.training.photos import Photos
from semcodec.training.picture_loss import LEAST_SIDE, PictureLoss, ms_ssim
from semcodec.training.rank_norm import share_batch_norm
from semcodec.training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Pass:
    """What a network makes of a batch in training.

    Attributes:
        output: Pictures ``[B, 3, H, W]``, not clipped.
        loss: What is added to the loss of the pictures; scalar.
        values: For the log.
    """

    output: Tensor
    loss: Tensor
    values: Mapping[str, float]


class Subject(Protocol):
    """A network as the task trains it."""

    @property
    def network(self) -> nn.Module:
        """What is averaged and exported."""
        ...

    def parameters(self) -> Iterable[nn.Parameter]:
        """What the optimiser moves."""
        ...

    def prepare(self, pictures: Tensor, *, progress: float, generator: torch.Generator) -> None:
        """Called before every step with its whole batch: where codebooks are placed on latents."""
        ...

    def train_pass(
        self, pictures: Tensor, *, progress: float, generator: torch.Generator, ranks: Ranks
    ) -> Pass:
        """A rank's pictures ``[B, 3, H, W]`` in [0, 1] through the network; draws are for all."""
        ...

    def after_step(
        self, *, progress: float, generator: torch.Generator, ranks: Ranks
    ) -> Mapping[str, float]:
        """What is not learned by gradients: codebooks. Values for the log."""
        ...

    def reconstruct(self, pictures: Tensor, *, generator: torch.Generator) -> Mapping[str, Tensor]:
        """For validation, by name: pictures ``[B, 3, H, W]``; the last one decides."""
        ...

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Write the weights that the codec loads."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What changes while training, beside the network."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        ...


@dataclass(frozen=True)
class PhotoTraining:
    """Choices of the training that are not the network's.

    Attributes:
        batch: Crops of a step.
        learning_rate: Peak of Adam's rate.
        betas: Of Adam.
        warm_up: Fraction of the steps over which the rate rises from 0; then it falls along half a
            cosine to 1 % of the peak.
        average: Decay of the running mean of the weights, which is what is exported.
        adversarial: Weight of the discriminator's verdict in the loss; 0 trains none.
        adversarial_start: Fraction of the steps after which it counts.
        discriminator_rate: Adam's rate for the discriminator.
        discriminator_width: Multiple of the channels of PatchGAN.
    """

    batch: int = 8
    learning_rate: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.99)
    warm_up: float = 0.02
    average: float = 0.999
    adversarial: float = 0.0
    adversarial_start: float = 0.5
    discriminator_rate: float = 1e-5
    discriminator_width: float = 0.25

    def rate(self, progress: float) -> float:
        """The learning rate at ``progress`` in [0, 1).

        >>> [round(PhotoTraining(learning_rate=1.0).rate(p), 3) for p in (0.0, 0.01, 0.02, 1.0)]
        [0.0, 0.5, 1.0, 0.01]
        """
        if progress < self.warm_up:
            return self.learning_rate * progress / self.warm_up
        fall = 0.5 * (1 + math.cos(math.pi * (progress - self.warm_up) / (1 - self.warm_up)))
        return self.learning_rate * max(fall, 0.01)


class PhotoTask:
    """Network, discriminator, optimisers and data behind the verbs of the training loop.

    Args:
        subject: What is trained.
        loss: What its pictures are charged for.
        training: Batch, rates, averaging, adversary.
        train: Photographs, cropped at random.
        validation: Photographs, of which the middle is taken.
        seed: Of the discriminator's weights.
        ranks: That share the crops of a step.
    """

    def __init__(
        self,
        subject: Subject,
        loss: PictureLoss,
        training: PhotoTraining,
        *,
        train: Photos,
        validation: Photos,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> None:
        """Build optimisers, and the discriminator where one is wanted."""
        self.ranks = ranks
        share_batch_norm(subject.network, ranks)
        self.subject, self.loss, self.training = subject, loss, training
        self.photos, self.held_out = train, validation.centres()
        self.averaged = Averaged(subject.network, decay=training.average)
        self.optimizer = torch.optim.Adam(
            list(subject.parameters()), lr=training.learning_rate, betas=training.betas
        )
        fights = training.adversarial > 0
        self.adversary = Adversary(training, seed=seed, ranks=ranks) if fights else None

    def train_step(self, *, progress: float, generator: torch.Generator) -> Mapping[str, float]:
        """One step of Adam, one of the codebooks, and one of the discriminator."""
        whole = self.photos.batch(self.training.batch, generator=generator)
        whole = whole.contiguous(memory_format=torch.channels_last)
        pictures = self.ranks.part(whole)
        for group in self.optimizer.param_groups:
            group["lr"] = self.training.rate(progress)
        self.subject.prepare(whole, progress=progress, generator=generator)
        passed = self.subject.train_pass(
            pictures, progress=progress, generator=generator, ranks=self.ranks
        )
        loss, terms = self.loss(passed.output, pictures)
        loss = loss + passed.loss
        values = {name: term.item() for name, term in terms.items()} | dict(passed.values)
        fights = self.adversary is not None and progress >= self.training.adversarial_start
        if fights:
            assert self.adversary is not None
            verdict = self.adversary.verdict(passed.output)
            loss = loss + self.training.adversarial * verdict
            values["verdict"] = verdict.item()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.average_gradients(self.subject.parameters())
        torch.nn.utils.clip_grad_norm_(self.subject.parameters(), 1.0)
        self.optimizer.step()
        if fights:
            assert self.adversary is not None
            values["discriminator"] = self.adversary.learn(pictures, passed.output.detach())
        self.averaged.update()
        after = self.subject.after_step(progress=progress, generator=generator, ranks=self.ranks)
        self.ranks.follow_first(self.subject.network.buffers())
        return {"loss": loss.item(), **values, **after}

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Mean PSNR [dB] and MS-SSIM of each way to reconstruct, with the mean weights.

        ``loss`` is the loss of the pictures of the last way. No MS-SSIM of sides below 88.
        """
        measured: dict[str, float] = {}
        sums: dict[str, float] = {}
        network = self.subject.network
        with self.averaged.applied():
            network.eval()
            for index, picture in enumerate(torch.split(self.held_out, 1)):
                generator = torch.Generator().manual_seed(index)
                picture = picture.contiguous(memory_format=torch.channels_last)
                for name, output in self.subject.reconstruct(picture, generator=generator).items():
                    error = F.mse_loss(output.clamp(0, 1), picture).item()
                    loss = self.loss(output, picture)[0].item()
                    found = {"psnr_db": -10 * math.log10(max(error, 1e-10)), "loss": loss}
                    if min(picture.shape[2:]) >= LEAST_SIDE:
                        found["ms_ssim"] = ms_ssim(output.clamp(0, 1), picture).item()
                    for key, value in found.items():
                        sums[f"{key}_{name}"] = sums.get(f"{key}_{name}", 0.0) + value
                    last = f"loss_{name}"
            network.train()
        measured = {name: value / len(self.held_out) for name, value in sums.items()}
        return {"loss": measured[last]} | measured

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Write the mean weights."""
        with self.averaged.applied():
            self.subject.export(path, training=training)

    def state_dict(self) -> dict[str, Any]:
        """Network, codebooks, optimisers, running mean."""
        state = {
            "network": self.subject.network.state_dict(),
            "subject": self.subject.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "averaged": self.averaged.state_dict(),
        }
        if self.adversary is not None:
            state["adversary"] = self.adversary.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.subject.network.load_state_dict(state["network"])
        self.subject.load_state_dict(state["subject"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averaged.load_state_dict(state["averaged"])
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
