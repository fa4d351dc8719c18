"""The discriminator's side of adversarial training."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from semcodec.photo.discriminator import PatchDiscriminator, discriminator_loss, generator_loss
from semcodec.training.rank_norm import share_batch_norm
from semcodec.training.ranks import ALONE, Ranks


class AdversaryChoices(Protocol):
    """What an adversary needs to know."""

    @property
    def discriminator_rate(self) -> float:
        """Adam's rate."""
        ...

    @property
    def discriminator_width(self) -> float:
        """Multiple of the channels of PatchGAN."""
        ...


class Adversary:
    """A PatchGAN discriminator and its optimiser.

    Source: Fu et al., "Vector quantized semantic communication system" (2023), eq. 7, with Adam's
    betas 0.5 and 0.999.
    """

    def __init__(self, choices: AdversaryChoices, *, seed: int, ranks: Ranks = ALONE) -> None:
        """Fresh weights from the seed; ``ranks`` share its batches."""
        self._ranks = ranks
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            self._network = PatchDiscriminator(width=choices.discriminator_width)
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        share_batch_norm(self._network, ranks)
        self._optimizer = torch.optim.Adam(
            self._network.parameters(), lr=choices.discriminator_rate, betas=(0.5, 0.999)
        )

    def verdict(self, output: Tensor) -> Tensor:
        """What pictures ``[B, 3, H, W]`` are charged for not looking like photographs."""
        self._network.requires_grad_(False)
        return generator_loss(self._network(output))

    def learn(self, pictures: Tensor, output: Tensor) -> float:
        """One step on photographs and reconstructions, without gradient; the loss."""
        self._network.requires_grad_(True)
        loss = discriminator_loss(self._network(pictures), fake_logits=self._network(output))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._ranks.average_gradients(self._network.parameters())
        self._optimizer.step()
        return loss.item()

    def state_dict(self) -> dict[str, Any]:
        """Network and optimiser."""
        return {"network": self._network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
