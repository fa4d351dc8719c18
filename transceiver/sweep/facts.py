"""What made a run, for its database."""

import math
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import transceiver
from transceiver.mcs.table import digest, find_table
from transceiver.networks import NETWORK_THREADS
from transceiver.pictures import Pictures
from transceiver.scenario import Scenario
from transceiver.scenario.source import AmcPlan
from transceiver.sender import Sender
from transceiver.source import AnalogSource, IndexSource, SystemSource

_PACKAGES = (
    "semantic-transceiver",
    "torch",
    "numpy",
    "numba",
    "sionna-no-rt",
    "pillow",
    "av",
    "scipy",
    "scikit-image",
)


def facts(
    scenario: Scenario, senders: Mapping[str, Sender], pictures: Pictures | None
) -> dict[str, str]:
    """Versions, commit, weights, mode tables, pictures, seed; threads of a network."""
    found = agreed(scenario, senders)
    found["commit"] = _commit()
    found["pictures"] = pictures.digest if pictures is not None else ""
    for name, sender in senders.items():
        nominal = sender.link.format.nominal_bits_per_symbol
        if len(sender.links) > 1 and scenario.sweep.quantity != "ebn0_db":
            nominal = math.nan  # no Eb/N0 for all modes
        found[f"nominal_bits_per_symbol.{name}"] = repr(nominal)
    found["seed"] = str(scenario.seed)
    found["threads"] = str(NETWORK_THREADS)
    return found


def agreed(scenario: Scenario, senders: Mapping[str, Sender]) -> dict[str, str]:
    """What must be the same wherever a part of the run is computed."""
    found = {f"version.{name}": version(name) for name in _PACKAGES}
    found["weights"] = " ".join(
        f"{name}:{sender.link.source.codec.sha256}"
        for name, sender in senders.items()
        if isinstance(sender.link.source, IndexSource | SystemSource | AnalogSource)
    )
    found["plugins"] = " ".join(f"{n}:{s.origin}" for n, s in senders.items() if s.origin)
    found["mode_tables"] = " ".join(
        f"{name}:{digest(find_table(plan.table, key=name))}"
        for name, plan in ((name, getattr(c, "plan", None)) for name, c in scenario.codecs.items())
        if isinstance(plan, AmcPlan)
    )
    return found


def _commit() -> str:
    """The git commit of a checkout; unknown for an installed package or without git."""
    command = ["git", "-C", str(Path(transceiver.__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return found.stdout.strip() if found.returncode == 0 else "unknown"
