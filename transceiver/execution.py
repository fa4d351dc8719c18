"""How a run is carried out: speed and memory. Imports neither torch nor the packages."""

import math
from dataclasses import dataclass
from pathlib import Path

from transceiver.scenario.load import ScenarioError


@dataclass(frozen=True)
class Execution:
    """What a user may choose about the carrying out of a run.

    Attributes:
        batch: Frames carried at once.
        threads: Of torch, shared by the jobs; None for all cores.
        jobs: Worker processes; with one the command does all itself.
        fresh: Begin the run anew.
        cache: Folder of source encodings; None for the user's own.
        keep_encodings: Whether encodings are taken from there and kept there.
        cache_gb: What the folder may take [GB].
    """

    batch: int = 16
    threads: int | None = None
    jobs: int = 1
    fresh: bool = False
    cache: Path | None = None
    keep_encodings: bool = True
    cache_gb: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.cache is not None and not self.keep_encodings:
            raise ScenarioError("--cache: must be left out with --no-cache")
        if not (math.isfinite(self.cache_gb) and self.cache_gb >= 1e-3):
            raise ScenarioError(f"--cache-gb must be at least 0.001, got {self.cache_gb:g}")
