"""The scenario's metrics as functions of (picture sent, picture received)."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, assert_never

import torch

from semcodec.codec import Image
from semcodec.device import CPU
from semcodec.lpips import Lpips
from semcodec.metrics import ms_ssim, psnr, ssim
from semcodec.weights_path import find_lpips_weights
from transceiver.metrics_names import metric_name
from transceiver.networks import one_thread
from transceiver.scenario.document import Lpips as LpipsSection
from transceiver.scenario.document import MetricSection
from transceiver.scenario.load import user_path
from transceiver.source import Picture

Metric: TypeAlias = Callable[[Sequence[Image], Sequence[Image]], list[float]]
"""Of each pair of pictures sent and received, all of one size."""

_MOST_KNOWN = 50_000
"""Pairs of pictures whose metrics are remembered."""

PSNR_LIMIT_DB = 100.0
"""What an identical picture counts as, and the most that any picture counts as."""


def build_metrics(
    sections: Sequence[MetricSection], *, device: torch.device = CPU
) -> dict[str, Metric]:
    """The functions, by the names of their columns; those with a network compute on a device."""
    return {metric_name(section): _build(section, device) for section in sections}


def _build(section: MetricSection, device: torch.device) -> Metric:
    match section:
        case "psnr":
            return _singly(_bounded_psnr)
        case "ssim":
            return _singly(ssim)
        case "ms_ssim":
            return _singly(ms_ssim)
        case "lpips":
            return _build(LpipsSection(kind="lpips"), device)
        case LpipsSection():
            explicit = user_path(section.weights) if section.weights else None
            network = Lpips.load(section.net, find_lpips_weights(section.net, explicit))
            return one_thread()(network.on(device).each)
        case _:
            assert_never(section)


def _singly(metric: Callable[[Image, Image], float]) -> Metric:
    return lambda sent, received: list(map(metric, sent, received))


def _bounded_psnr(sent: Image, image_hat: Image) -> float:
    """PSNR, at most `PSNR_LIMIT_DB`: one identical picture would make a mean infinite."""
    return min(psnr(sent, image_hat), PSNR_LIMIT_DB)


class Measure:
    """The metrics of a run, each pair of pictures measured once: most arrive undamaged."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        """Start with nothing measured."""
        self._metrics = metrics
        self._known: OrderedDict[tuple[int, bytes], dict[str, float]] = OrderedDict()

    def __call__(
        self, sent: Sequence[Picture], received: Sequence[Image]
    ) -> list[dict[str, float]]:
        """Every metric of each received image ``[3, H, W]``."""
        keys = [(p.key, _digest(image)) for p, image in zip(sent, received, strict=True)]
        new: dict[torch.Size, dict[tuple[int, bytes], tuple[Image, Image]]] = {}
        for key, picture, image in zip(keys, sent, received, strict=True):
            if key not in self._known:
                new.setdefault(image.shape, {})[key] = picture.pixels, image
        for pairs in new.values():
            before, after = zip(*pairs.values(), strict=True)
            columns = {name: metric(before, after) for name, metric in self._metrics.items()}
            for row, key in enumerate(pairs):
                self._known[key] = {name: column[row] for name, column in columns.items()}
        found = [self._known[key] for key in keys]
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return found


def _digest(image: Image) -> bytes:
    return hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest()
