"""Claims on weight files, and their figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from semcodec import weights
from transceiver.reproduce.figures import draw
from transceiver.reproduce.finding import Finding
from transceiver.reproduce.weights_claims import MODEL, WeightFiles, weights_claim
from transceiver.scenario import ScenarioError, parse
from transceiver.scenario.reproduction import FlipProbabilityFigure
from transceiver.scenario.reproduction_claims import ClaimSection, WeightsClaim

CLAIM: TypeAdapter[ClaimSection] = TypeAdapter(ClaimSection)

MEANS = (0.0625, 0.125, 0.25)


@pytest.fixture
def files(change: Any, tmp_path: Path) -> WeightFiles:
    """Three codebooks in one file, one in another."""
    flips = torch.tensor(MEANS)[:, None, None] * torch.tensor([[0.5, 1.5]])
    probability = torch.tensor(
        [[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0]]
    )
    network = {"backbone.a": torch.zeros(5, 4), "backbone.b": torch.zeros(7)}
    contents = {
        "multi": {
            "quantizer.codewords": torch.zeros(3, 4, 2),
            "quantizer.probability": probability,
            "quantizer.flip_probability": flips.expand(3, 8, 2).contiguous(),
        },
        "single": {
            "quantizer.codewords": torch.zeros(1, 4, 2),
            "quantizer.probability": probability[1:2],
        },
    }
    data = change()
    for name, tensors in contents.items():
        path = tmp_path / f"{name}.safetensors"
        weights.save(path, network | tensors, model=MODEL, config={}, training={})
        data["codecs"][name] = {"kind": "vq", "weights": str(path)}
    data["codecs"]["again"] = data["codecs"]["single"]
    return WeightFiles(parse(data))


def _judge(files: WeightFiles, quantity: str, of: list[Any], direction: str) -> Finding:
    claim = CLAIM.validate_python(
        {"kind": "weights", "text": "t", "quantity": quantity, "of": of, "direction": direction}
    )
    assert isinstance(claim, WeightsClaim)
    return weights_claim(claim, files)


def test_flip_probabilities_of_codebooks(files: WeightFiles) -> None:
    names = ["multi:1", "multi:2", "multi:3"]
    finding = _judge(files, "mean_flip", names, "rises")
    assert finding.verdict == "holds"
    assert finding.measured == "multi:1 0.0625, multi:2 0.125, multi:3 0.25"
    assert _judge(files, "mean_flip", names, "falls").verdict == "does not hold"
    assert _judge(files, "mean_flip", ["multi:1", "multi:1"], "rises").verdict == "does not hold"
    assert _judge(files, "mean_flip", ["multi:1", "multi:1"], "equal").verdict == "holds"


def test_use_of_codewords(files: WeightFiles) -> None:
    finding = _judge(files, "index_entropy", ["multi:1", "single", "multi:3"], "falls")
    assert finding.verdict == "holds"
    assert finding.measured == "multi:1 2.000 bit, single 1.500 bit, multi:3 0.000 bit"
    used = _judge(files, "codewords_used", ["multi:3", "multi:2", "multi:1"], "rises")
    assert used.measured == "multi:3 1, multi:2 3, multi:1 4"
    assert used.verdict == "holds"


def test_sizes_count_each_file_once(files: WeightFiles) -> None:
    """Network 27 values, codewords 24 or 8; tables beside them are no parameters."""
    group = ["multi", "single"]
    finding = _judge(files, "parameters", ["single", "multi", group], "rises")
    assert finding.verdict == "holds"
    assert finding.measured == "single 35, multi 51, multi + single 86"
    assert _judge(files, "parameters", [["single", "again"], "single"], "equal").verdict == "holds"
    sizes = [files.path(name).stat().st_size for name in group]
    finding = _judge(files, "bytes", [*group, group], "rises")
    assert finding.measured.endswith(f"multi + single {sum(sizes):,}")
    assert finding.verdict == ("holds" if sizes[0] < sizes[1] else "does not hold")


def test_what_the_files_lack(files: WeightFiles) -> None:
    with pytest.raises(ScenarioError, match=r"codecs.single.weights: must have a table flip_prob"):
        _judge(files, "mean_flip", ["multi:1", "single"], "rises")
    with pytest.raises(
        ScenarioError, match=r"must name a codebook, multi:1 to multi:3, got multi$"
    ):
        _judge(files, "mean_flip", ["multi", "multi:1"], "rises")
    with pytest.raises(ScenarioError, match="multi has 3 codebooks, got multi:4"):
        _judge(files, "mean_flip", ["multi:4", "multi:1"], "rises")
    with pytest.raises(ScenarioError, match=r"codecs.vq.weights: .* must hold model system32 "):
        _judge(files, "index_entropy", ["vq", "single"], "rises")


def test_distribution_of_flip_probabilities(files: WeightFiles) -> None:
    section = FlipProbabilityFigure(kind="flip_probability_cdf", codec="multi")
    figure = draw(section, None, files, quantity="esn0_db", paper=None)  # type: ignore[arg-type]
    lines = figure.axes[0].lines
    assert [str(line.get_label()) for line in lines] == [
        f"codebook {v} (mean {mean:.3g})" for v, mean in enumerate(MEANS, 1)
    ]
    for line, mean in zip(lines, MEANS, strict=True):
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert x.tolist() == [mean / 2] * 8 + [1.5 * mean] * 8
        assert y.tolist() == [(i + 1) / 16 for i in range(16)]
