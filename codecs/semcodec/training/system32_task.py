"""Training of the systems for small pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec import weights
from semcodec.system32.backbone import STRIDE, Backbone
from semcodec.system32.binary_channel import label_bits, transition_logits
from semcodec.system32.quantizer import Quantizer
from semcodec.system32.subvectors import assign, join, split
from semcodec.system32.system import MODEL, Codebooks, System, SystemConfig, save_system
from semcodec.training.ranks import ALONE, Ranks

FAST_RATE = 1e-2
"""Learning rate of flip probabilities and codeword probabilities (ESC-MVQ, section V)."""


@dataclass(frozen=True)
class SystemTraining:
    """Choices of the training that are not the system's.

    Attributes:
        batch: Pictures of a step.
        learning_rate: Of Adam, for everything but the fast parameters.
        decay: Fraction of the steps at the end over which the rates fall linearly to 2 %.
        reconstruction_weight: What the mean squared error of the pictures, in [0, 1], is multiplied
            by in the loss: 1 as ESC-MVQ prints it, about 16 where it is divided by the variance of
            the pixels as in van den Oord et al. (2017). The codebook's terms are means over the
            latents, so the weight decides how large latents become.
        latent_scale: What the latents of the start are multiplied by; the decoder undoes it.
        compiled: Compile the network (`torch.compile`): a minute once, steps a quarter faster.
    """

    batch: int = 64
    learning_rate: float = 1e-3
    decay: float = 0.3
    reconstruction_weight: float = 1.0
    latent_scale: float = 1.0
    compiled: bool = False

    def factor(self, progress: float) -> float:
        """What the rates are multiplied by at ``progress`` in [0, 1).

        >>> [round(SystemTraining().factor(p), 2) for p in (0.5, 0.7, 0.85, 1.0)]
        [1.0, 1.0, 0.51, 0.02]
        """
        fall = (1 - progress) / self.decay if self.decay else 1.0
        return min(1.0, 0.02 + 0.98 * fall)


def initial_backbone(config: SystemConfig, *, seed: int, start: Path | None) -> Backbone:
    """A fresh network from the seed; all layers of the same shape from the weights ``start``.

    The layers beside the latents have other shapes where the latents have fewer channels: they
    stay fresh.

    Raises:
        ValueError: The start has another width.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = Backbone(config.width, config.latent_channels, bounded=config.bounded)
    if start is not None:
        content = weights.load(start, model=MODEL)
        if content.config["width"] != config.width:
            raise ValueError(
                f"start must be of width {config.width}, got {start} of {content.config['width']}"
            )
        state = backbone.state_dict()
        for name, tensor in state.items():
            given = content.tensors.get(f"backbone.{name}")
            if given is not None and given.shape == tensor.shape:
                tensor.copy_(given)
    backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return backbone


@torch.no_grad()
def scale_latents(backbone: Backbone, factor: float) -> None:
    """Multiply the latents by ``factor`` and divide by it again before the decoder.

    Latents bounded by tanh are left as they are.
    """
    if not backbone.bounded:
        backbone.to_latents.weight.mul_(factor)
        backbone.to_latents.bias.mul_(factor)  # type: ignore[union-attr]
        backbone.from_latents.weight.div_(factor)


class SystemTask:
    """Network, quantiser, optimiser and data behind the verbs of the training loop.

    The loss of a branch is the weighted mean squared error of its pictures plus the quantiser's
    loss; that of a step is the weighted mean of its branches.

    Args:
        config: The system.
        quantizer: What it is trained with.
        training: Batch, rates.
        pictures: uint8 ``[n, 3, H, W]``, sides multiples of four.
        held_out: Pictures for validation, alike.
        seed: Of the fresh weights.
        start: Weights to begin from.
        ranks: That share the pictures of a step. Each encodes and decodes its own and quantises
            those of all, so that a quantiser may look at a whole batch.
    """

    def __init__(
        self,
        config: SystemConfig,
        make_quantizer: Callable[[], nn.Module],
        training: SystemTraining,
        *,
        pictures: Tensor,
        held_out: Tensor,
        seed: int,
        start: Path | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        """Build a fresh system."""
        self.ranks = ranks
        self.config, self.training = config, training
        self.pictures, self.held_out = pictures, held_out
        self.backbone = initial_backbone(config, seed=seed, start=start)
        scale_latents(self.backbone, training.latent_scale)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed + 1)
            module = make_quantizer()
        self.module = module
        self.quantizer: Quantizer = module  # type: ignore[assignment]
        self.optimizer = self._optimizer()
        self.placed = False
        self.encode: Callable[[Tensor], Tensor] = self.backbone.encode
        self.decode: Callable[[Tensor], Tensor] = self.backbone.decode
        if training.compiled:
            self.encode = torch.compile(self.backbone.encode, dynamic=False)
            self.decode = torch.compile(self.backbone.decode, dynamic=False)

    def _parameters(self) -> list[nn.Parameter]:
        return [*self.backbone.parameters(), *self.module.parameters()]

    def _optimizer(self) -> torch.optim.Optimizer:
        fast = list(self.quantizer.fast_parameters())
        taken = {id(p) for p in fast}
        rest = [p for p in self._parameters() if id(p) not in taken]
        groups: list[dict[str, Any]] = [{"params": rest, "peak": self.training.learning_rate}]
        if fast:
            groups.append({"params": fast, "peak": FAST_RATE})
        return torch.optim.Adam(groups, lr=self.training.learning_rate, fused=True)

    def train_step(self, *, progress: float, generator: torch.Generator) -> Mapping[str, float]:
        """One step of Adam."""
        if not self.placed:
            self._place(generator)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * self.training.factor(progress)
        draw = torch.randint(len(self.pictures), (self.training.batch,), generator=generator)
        pictures = _unit(self.pictures[self.ranks.part(draw)])
        vectors = split(self.encode(pictures), self.config.dimension)
        branches = self.quantizer(self.ranks.whole(vectors), progress=progress, generator=generator)
        arrived = torch.cat([self.ranks.part(b.vectors) for b in branches])
        outputs = self.decode(self._latents(arrived, pictures))
        loss, weight = torch.zeros(()), self.training.reconstruction_weight
        errors = []
        for branch, output in zip(branches, torch.split(outputs, len(pictures)), strict=True):
            error = F.mse_loss(output, pictures)
            loss = loss + branch.weight * (weight * error + branch.loss)
            errors.append(error.item())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.average_gradients(self._parameters())
        self.optimizer.step()
        values = {f"mse_{v}": error for v, error in enumerate(errors)}
        return {"loss": loss.item(), **values, "latent_power": vectors.square().mean().item()}

    def _latents(self, vectors: Tensor, pictures: Tensor) -> Tensor:
        height, width = (side // STRIDE for side in pictures.shape[2:])
        channels = self.config.latent_channels
        latents = join(vectors, channels=channels, height=height, width=width)
        return latents.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def _place(self, generator: torch.Generator) -> None:
        """Put the codewords on latents of the training pictures."""
        draw = torch.randint(len(self.pictures), (16 * self.training.batch,), generator=generator)
        parts = [
            self._vectors(part) for part in torch.split(self.pictures[draw], self.training.batch)
        ]
        self.quantizer.place(torch.cat(parts), generator=generator)
        self.ranks.follow_first(self.module.state_dict().values())
        self.placed = True

    @torch.no_grad()
    def _vectors(self, pictures: Tensor) -> Tensor:
        return split(self.backbone.encode(_unit(pictures)), self.config.dimension)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Mean PSNR [dB] without bit errors for each codebook, index entropy, learned flips.

        ``loss`` is the mean squared error of the last codebook's pictures.
        """
        if not self.codebooks_exist:
            return self._validate_without_codewords()
        books = self._codebooks()
        squared = torch.zeros(len(books.codewords), len(self.held_out))
        counts = torch.zeros(books.codewords.shape[:2])
        at = 0
        for part in torch.split(self.held_out, 250):
            pictures = _unit(part)
            indices = books.choose(self._vectors(part))
            for v, chosen in enumerate(indices):
                vectors = books.lookup(chosen, torch.tensor(v))
                output = self.backbone.decode(self._latents(vectors, pictures)).clamp(0, 1)
                errors = (output - pictures).square().mean((1, 2, 3))
                squared[v, at : at + len(part)] = errors
                counts[v] += torch.bincount(chosen.reshape(-1), minlength=counts.shape[1])
            at += len(part)
        psnr = (-10 * squared.clamp(min=1e-10).log10()).mean(1)
        share = counts / counts.sum(1, keepdim=True)
        entropy = -(share * share.clamp(min=1e-12).log2()).sum(1)
        measured = {"loss": squared[-1].mean().item()}
        for v in range(len(psnr)):
            measured[f"psnr_db_{v}"] = psnr[v].item()
            measured[f"index_entropy_{v}"] = entropy[v].item()
            if books.flip_probability is not None:
                measured[f"mean_flip_{v}"] = books.flip_probability[v].mean().item()
        return measured

    @property
    def codebooks_exist(self) -> bool:
        """Whether there is anything to quantise with."""
        return self.quantizer.codewords.shape[1] > 0

    def _validate_without_codewords(self) -> Mapping[str, float]:
        errors, psnr = [], []
        for part in torch.split(self.held_out, 250):
            pictures = _unit(part)
            output = self.backbone.decode(self.backbone.encode(pictures)).clamp(0, 1)
            squared = (output - pictures).square().mean((1, 2, 3))
            errors.append(squared)
            psnr.append(-10 * squared.clamp(min=1e-10).log10())
        return {"loss": torch.cat(errors).mean().item(), "psnr_db": torch.cat(psnr).mean().item()}

    def _codebooks(self, probability: Tensor | None = None) -> Codebooks:
        codewords = self.quantizer.codewords.detach()
        empty = torch.zeros(codewords.shape[:2])
        flips = self.quantizer.flip_probability()
        return Codebooks(
            codewords=codewords,
            probability=empty if probability is None else probability,
            rate_bias=self.quantizer.rate_bias(),
            flip_probability=None if flips is None else flips.detach(),
        )

    def export(self, path: Path, *, training: Mapping[str, Any]) -> None:
        """Write the weights, with tables measured over all training pictures."""
        books = self._codebooks()
        if self.codebooks_exist:
            books = self._measured(books)
        save_system(path, System(self.config, self.backbone, books), training=training)
        self.backbone.requires_grad_(True).train()

    @torch.no_grad()
    def _measured(self, books: Codebooks) -> Codebooks:
        """Use of the codewords and expected distortion of the sub-vectors (eq. 30 and 31)."""
        counts = torch.zeros(books.codewords.shape[:2], dtype=torch.int64)
        flips, bias = books.flip_probability, books.rate_bias
        arrivals = [] if flips is None else list(map(_arrivals, books.codewords, flips))
        sums = torch.zeros(len(arrivals), flips.shape[1] if flips is not None else 0).double()
        for part in torch.split(self.pictures, 500):
            vectors = self._vectors(part)
            flat = vectors.reshape(-1, vectors.shape[-1])
            for v, codewords in enumerate(books.codewords):
                chosen = assign(flat, codewords, None if bias is None else bias[v])
                counts[v] += torch.bincount(chosen, minlength=counts.shape[1])
                if arrivals:
                    sent = chosen.reshape(vectors.shape[:2])
                    place = torch.arange(sent.shape[1])
                    mean, energy = (table[place, sent] for table in arrivals[v])
                    expected = vectors.square().sum(2) - 2 * (vectors * mean).sum(2) + energy
                    sums[v] += expected.double().sum(0)
        share = counts / counts.sum(1, keepdim=True)
        return Codebooks(
            codewords=books.codewords,
            probability=share.float(),
            rate_bias=bias,
            flip_probability=flips,
            distortion=(sums / len(self.pictures)).float() if arrivals else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """Network, quantiser, optimiser."""
        return {
            "backbone": self.backbone.state_dict(),
            "quantizer": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "placed": self.placed,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.backbone.load_state_dict(state["backbone"])
        self.module.load_state_dict(state["quantizer"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.placed = state["placed"]


def _arrivals(codewords: Tensor, flips: Tensor) -> tuple[Tensor, Tensor]:
    """E[e] ``[N, K, d]`` and E||e||^2 ``[N, K]`` of what arrives for each codeword sent.

    Args:
        codewords: ``[K, d]``.
        flips: ``[N, B]``.
    """
    bits = flips.shape[1]
    labels, every = label_bits(bits), torch.arange(len(codewords))[None]
    means, energies = [], []
    for flip in flips:
        likely = transition_logits(every, flip[None, None], labels)[0].softmax(-1)
        means.append(likely @ codewords)
        energies.append(likely @ codewords.square().sum(1))
    return torch.stack(means), torch.stack(energies)


def _unit(pictures: Tensor) -> Tensor:
    """uint8 pictures as channels-last floats in [0, 1]."""
    return (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
