"""Run a scenario: every codec at every point, chunk by chunk, into a store."""

from transceiver.sweep.keep import CONSTELLATION_SAMPLES
from transceiver.sweep.run import Progress, run

__all__ = ["CONSTELLATION_SAMPLES", "Progress", "run"]
