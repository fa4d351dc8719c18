"""The analog systems as the photo task trains them: UNet-DeepJSCC and JSCC-96."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from semcodec.analog import unit_power
from semcodec.training.photo_task import Pass
from semcodec.training.ranks import ALONE, Ranks
from semcodec.training.subject_weights import fresh, save_network


class AnalogNetwork(Protocol):
    """What both have."""

    def encode(self, pictures: Tensor) -> Tensor:
        """Values ``[B, n]``."""
        ...

    def decode(self, values: Tensor, height: int, width: int) -> Tensor:
        """Pictures ``[B, 3, height, width]``."""
        ...


class AnalogSubject:
    """An analog network over AWGN.

    Args:
        make: Builds the network; its ``config`` is a dataclass.
        model: The kind of network that its weights name.
        esn0_db: Least and largest Es/N0 in training; each picture has its own between them.
        seed: Of the fresh weights.
        start: Weights to begin from; all tensors of the same name and shape are taken.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        *,
        model: str,
        esn0_db: tuple[float, float],
        seed: int,
        start: Path | None = None,
    ) -> None:
        """Build the network."""
        if esn0_db[0] > esn0_db[1]:
            raise ValueError(f"esn0_db must be the least and the largest, got {list(esn0_db)}")
        self._module = fresh(make, seed=seed, start=start)
        self._network: AnalogNetwork = self._module  # type: ignore[assignment]
        self._model, self._esn0_db = model, esn0_db

    @property
    def network(self) -> nn.Module:
        """All of it."""
        return self._module

    def parameters(self) -> Iterable[nn.Parameter]:
        """All of them."""
        return self._module.parameters()

    def prepare(self, pictures: Tensor, *, progress: float, generator: torch.Generator) -> None:
        """Nothing to prepare."""

    def train_pass(
        self, pictures: Tensor, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Pass:
        """Normalised power, noise."""
        low, high = self._esn0_db
        drawn = torch.rand(ranks.size * len(pictures), generator=generator)
        esn0_db = low + (high - low) * ranks.part(drawn)
        output = self._over_noise(pictures, esn0_db, generator, ranks)
        return Pass(output, output.new_zeros(()), {})

    def _over_noise(
        self, pictures: Tensor, esn0_db: Tensor, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Tensor:
        values = unit_power(self._network.encode(pictures))
        deviation = (0.5 * 10 ** (-esn0_db / 10)).sqrt()[:, None]
        whole = (ranks.size * len(values), *values.shape[1:])
        noise = ranks.part(torch.randn(whole, generator=generator))
        _, _, height, width = pictures.shape
        return self._network.decode(values + deviation * noise, height, width)

    def after_step(
        self, *, progress: float, generator: torch.Generator, ranks: Ranks = ALONE
    ) -> Mapping[str, float]:
        """Nothing."""
        return {}

    def reconstruct(self, pictures: Tensor, *, generator: torch.Generator) -> Mapping[str, Tensor]:
        """As received in the middle of the range of Es/N0."""
        middle = torch.full((len(pictures),), sum(self._esn0_db) / 2)
        return {"noisy": self._over_noise(pictures, middle, generator)}

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """All tensors."""
        config = asdict(self._module.config)  # type: ignore[call-overload]
        save_network(path, self._module, self._model, config, training)

    def state_dict(self) -> dict[str, Any]:
        """Nothing beside the network."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
