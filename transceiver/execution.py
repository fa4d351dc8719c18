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
        jobs: Workers. None is one for the engine ``local``, which then does all itself, and for
            ``ray`` as many as fit into the cluster.
        fresh: Begin the run anew.
        cache: Folder of source encodings; None for the user's own.
        keep_encodings: Whether encodings are taken from there and kept there.
        cache_gb: What the folder may take [GB].
        engine: ``local``, processes of this machine, or ``ray``.
        address: Of the Ray cluster; None for ``auto``.
        worker_cpus: CPUs that a worker on the cluster reserves, and its threads; None for one.
        device: Where networks compute: ``cpu``, ``cuda``, or ``auto``, a GPU where there is one.
        worker_gpus: What share of a GPU a worker on the cluster reserves; None for a whole one.
    """

    batch: int = 16
    threads: int | None = None
    jobs: int | None = None
    fresh: bool = False
    cache: Path | None = None
    keep_encodings: bool = True
    cache_gb: float = 2.0
    engine: str = "local"
    address: str | None = None
    worker_cpus: int | None = None
    device: str = "cpu"
    worker_gpus: float | None = None

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.cache is not None and not self.keep_encodings:
            raise ScenarioError("--cache: must be left out with --no-cache")
        if not (math.isfinite(self.cache_gb) and self.cache_gb >= 1e-3):
            raise ScenarioError(f"--cache-gb must be at least 0.001, got {self.cache_gb:g}")
        if self.engine not in ("local", "ray"):
            raise ScenarioError(f"--engine must be local or ray, got {self.engine}")
        if self.engine == "ray" and self.threads is not None:
            raise ScenarioError(
                "--threads: must be left out with --engine ray: --worker-cpus says how many a "
                "worker has"
            )
        if self.device not in ("cpu", "cuda", "auto"):
            raise ScenarioError(f"--device must be cpu, cuda or auto, got {self.device}")
        gpus = self.worker_gpus
        if gpus is not None and self.device == "cpu":
            raise ScenarioError("--worker-gpus: must be left out without --device cuda or auto")
        if gpus is not None and not (0 < gpus <= 1 or (gpus > 1 and gpus.is_integer())):
            raise ScenarioError(
                f"--worker-gpus must be a share of a GPU or a whole number of them, got {gpus:g}"
            )
        for name in ("address", "worker_cpus", "worker_gpus"):
            if self.engine == "local" and getattr(self, name) is not None:
                option = name.replace("_", "-")
                raise ScenarioError(f"--{option}: must be left out without --engine ray")
