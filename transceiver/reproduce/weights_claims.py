"""Claims on weight files: flip probabilities, use of codewords, sizes."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import assert_never

from torch import Tensor

from semcodec import weights
from semcodec.codebook.usage import Usage, usage
from semcodec.errors import WeightsError
from transceiver.catalog import find_weights
from transceiver.reproduce.finding import Finding, verdict
from transceiver.scenario import Scenario, ScenarioError
from transceiver.scenario.reproduction_claims import WeightsClaim, level

MODEL = "system32"
"""The kind of network whose files have the tables that claims speak of."""


class WeightFiles:
    """The weight files of a scenario's codecs, each read once and when it is needed."""

    def __init__(self, scenario: Scenario) -> None:
        """Read nothing yet."""
        self._scenario = scenario
        self._tensors: dict[Path, Mapping[str, Tensor]] = {}

    def path(self, codec: str) -> Path:
        """The file of a codec."""
        section = self._scenario.codecs[codec]
        return find_weights(getattr(section, "weights", ""), key=f"codecs.{codec}.weights")

    def tensors(self, codec: str) -> Mapping[str, Tensor]:
        """Its tensors by name."""
        path = self.path(codec)
        if path not in self._tensors:
            try:
                self._tensors[path] = weights.load(path, model=MODEL).tensors
            except WeightsError as error:
                raise ScenarioError(f"codecs.{codec}.weights: {error}") from None
        return self._tensors[path]

    def table(self, codec: str, name: str) -> Tensor:
        """A tensor of the quantiser, by codebook ``[V, ...]``."""
        tensors = self.tensors(codec)
        if f"quantizer.{name}" not in tensors:
            raise ScenarioError(f"codecs.{codec}.weights: must have a table {name} to compare")
        return tensors[f"quantizer.{name}"].double()


def weights_claim(claim: WeightsClaim, files: WeightFiles) -> Finding:
    """Compare what the files hold, in the order of the claim; these numbers are exact."""
    found = [_of(claim, level(names), files) for names in claim.of]
    steps = [after - before for before, after in pairwise(found)]
    match claim.direction:
        case "rises":
            holds = all(step > 0 for step in steps)
        case "falls":
            holds = all(step < 0 for step in steps)
        case "equal":
            holds = all(step == 0 for step in steps)
        case _:
            assert_never(claim.direction)
    shown = (
        f"{' + '.join(level(names))} {_shown(claim, value)}"
        for names, value in zip(claim.of, found, strict=True)
    )
    return Finding(claim.text, ", ".join(shown), "", verdict(holds), claim.found)


def _shown(claim: WeightsClaim, value: float) -> str:
    match claim.quantity:
        case "mean_flip":
            return f"{value:.4g}"
        case "index_entropy":
            return f"{value:.3f} bit"
        case "codewords_used" | "parameters" | "bytes":
            return f"{value:,.0f}"
        case _:
            assert_never(claim.quantity)


def _of(claim: WeightsClaim, names: list[str], files: WeightFiles) -> float:
    """The quantity of a codebook, or the sum over the files of several codecs."""
    match claim.quantity:
        case "mean_flip":
            return float(_codebook(names[0], "flip_probability", files).mean())
        case "index_entropy":
            return _usage(names[0], files).entropy_bits
        case "codewords_used":
            return _usage(names[0], files).used
        case "bytes":
            return sum(path.stat().st_size for path in {files.path(name) for name in names})
        case "parameters":
            one_of_each = {files.path(name): name for name in names}
            return sum(map(parameters, map(files.tensors, one_of_each.values())))
        case _:
            assert_never(claim.quantity)


def parameters(tensors: Mapping[str, Tensor]) -> int:
    """Values of the network and of the codebooks; the tables beside them are no parameters."""
    return sum(
        tensor.numel()
        for name, tensor in tensors.items()
        if name.startswith("backbone.") or name == "quantizer.codewords"
    )


def _usage(name: str, files: WeightFiles) -> Usage:
    probability = _codebook(name, "probability", files)
    return usage(probability / probability.sum())  # files hold float16


def _codebook(name: str, table: str, files: WeightFiles) -> Tensor:
    """The table of a codebook written ``codec:1``, or of a codec that has only one."""
    codec, _, number = name.partition(":")
    tables = files.table(codec, table)
    if not number and len(tables) > 1:
        raise ScenarioError(
            f"claims: of must name a codebook, {codec}:1 to {codec}:{len(tables)}, got {name}"
        )
    if int(number or 1) > len(tables):
        raise ScenarioError(f"claims: {codec} has {len(tables)} codebooks, got {name}")
    return tables[int(number or 1) - 1]
