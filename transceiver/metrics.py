"""The scenario's metrics as functions of (picture sent, picture received)."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, assert_never

from semcodec.codec import Image
from semcodec.lpips import Lpips
from semcodec.metrics import ms_ssim, psnr, ssim
from semcodec.weights_path import find_lpips_weights
from transceiver.metrics_names import metric_name
from transceiver.scenario.document import Lpips as LpipsSection
from transceiver.scenario.document import MetricSection
from transceiver.source import Picture

Metric: TypeAlias = Callable[[Image, Image], float]

_MOST_KNOWN = 50_000
"""Pairs of pictures whose metrics are remembered."""

PSNR_LIMIT_DB = 100.0
"""What an identical picture counts as, and the most that any picture counts as."""


def build_metrics(sections: Sequence[MetricSection]) -> dict[str, Metric]:
    """The functions, by the names of their columns."""
    return {metric_name(section): _build(section) for section in sections}


def _build(section: MetricSection) -> Metric:
    match section:
        case "psnr":
            return _bounded_psnr
        case "ssim":
            return ssim
        case "ms_ssim":
            return ms_ssim
        case "lpips":
            return _build(LpipsSection(kind="lpips"))
        case LpipsSection():
            explicit = Path(section.weights).expanduser() if section.weights else None
            return Lpips.load(section.net, find_lpips_weights(section.net, explicit))
        case _:
            assert_never(section)


def _bounded_psnr(sent: Image, image_hat: Image) -> float:
    """PSNR, at most `PSNR_LIMIT_DB`: one identical picture would make a mean infinite."""
    return min(psnr(sent, image_hat), PSNR_LIMIT_DB)


class Measure:
    """The metrics of a run, each pair of pictures measured once: most arrive undamaged."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        """Start with nothing measured."""
        self._metrics = metrics
        self._known: OrderedDict[tuple[int, bytes], dict[str, float]] = OrderedDict()

    def __call__(self, sent: Picture, image_hat: Image) -> dict[str, float]:
        """Every metric of a received image ``[3, H, W]``."""
        key = sent.key, hashlib.blake2b(image_hat.numpy().tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = {
                name: metric(sent.pixels, image_hat) for name, metric in self._metrics.items()
            }
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)
        return self._known[key]
