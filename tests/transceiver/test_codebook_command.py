"""The codebook command: its tables, its figure, the file with new labels, and its refusals."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from rich.console import Console

from semcodec import weights
from semcodec.codebook import (
    analyse,
    channel_distortion,
    random_labelling_distortion,
    read_codebooks,
    uniform,
)
from transceiver import codebook_command as command
from transceiver.report.codebook import gain_db
from transceiver.scenario import ScenarioError


def run(name: object, **options: Any) -> str:
    """What the command prints."""
    out = Console(file=io.StringIO(), width=100)
    arguments = {"flip_probability": None, "reorder": None, "output": None, "figure": None}
    command.codebook_command(out, str(name), **(arguments | options))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A system of two codebooks of 16 codewords, one of them dead in the second."""
    generator = torch.Generator().manual_seed(0)
    p = 0.1 + torch.rand(2, 16, generator=generator)
    p[1, 3] = 0
    tensors = {
        "quantizer.codewords": torch.randn(2, 16, 3, generator=generator),
        "quantizer.probability": p / p.sum(1, keepdim=True),
        "quantizer.distortion": torch.ones(2, 9),
        "quantizer.flip_probability": 0.01 + 0.1 * torch.rand(2, 9, 4, generator=generator),
        "backbone.weight": torch.ones(3),
    }
    path = tmp_path / "system.safetensors"
    weights.save(path, tensors, model="system32", config={"a": 1}, training={"step": 5})
    return path


def _is_figure(path: Path) -> bool:
    with PillowImage.open(path) as picture:
        return picture.format == "PNG" and bool(np.asarray(picture.convert("L")).std() > 3)


def _distortions(path: Path, eps: float | None) -> list[list[float]]:
    """D_ch and its mean over labellings, for each codebook of a file."""
    file = read_codebooks(path)
    found = []
    for v, codewords in enumerate(file.codewords):
        p = uniform(len(codewords)) if file.probability is None else file.probability[v]
        flips = torch.tensor(eps) if file.flip_probability is None else file.flip_probability[v]
        found.append(
            [
                of(codewords, flip_probability=flips, probability=p)
                for of in (channel_distortion, random_labelling_distortion)
            ]
        )
    return found


def test_every_codebook_gets_its_line(system: Path, tmp_path: Path) -> None:
    figure = tmp_path / "f.png"
    out = run(system, figure=figure)
    assert out.splitlines()[0].startswith("system.safetensors, D_ch at each bit's own flip prob")
    lines = [line.split() for line in out.splitlines()]
    use = [line for line in lines if line[1:2] == ["16"]]
    assert [line[:4] for line in use] == [["1", "16", "16", "0"], ["2", "16", "15", "1"]]
    file = read_codebooks(system)
    assert file.probability is not None
    for line, p, (exact, random) in zip(
        use, file.probability, _distortions(system, None), strict=True
    ):
        entropy = -float((p[p > 0] * p[p > 0].log2()).sum())
        assert line[4:6] == [f"{entropy:.3f}", f"{2**entropy:.1f}"]
        assert line[-3:] == [f"{exact:.4g}", f"{random:.4g}", gain_db(exact, random)]
    pairs = [line[2] for line in lines if len(line) == 7 and line[0] == "2"]
    assert pairs == ["64", "96", "64", "16"]
    sizes = [line for line in lines if len(line) == 6 and line[1] == "0.0001"]
    assert [line[0] for line in sizes] == ["1", "2"]
    assert lines[-1] == [str(figure)]
    assert _is_figure(figure)
    assert "no probabilities" not in out


def test_file_without_probabilities(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = run(tiny_weights)
    assert "D_ch at flip probability 0.01" in out
    assert "no probabilities in the file: all codewords taken as equally likely" in out
    exact, random = _distortions(tiny_weights, 0.01)[0]
    assert re.search(f"{exact:.4g} +{random:.4g} +{gain_db(exact, random)}", out)
    assert out.splitlines()[-1] == "tiny-codebook.png"
    assert _is_figure(tmp_path / "tiny-codebook.png")
    assert "D_ch at flip probability 0.2" in run(tiny_weights, flip_probability=0.2)


@pytest.mark.parametrize("method", command.METHODS)
def test_new_labels_are_written_and_said(system: Path, tmp_path: Path, method: str) -> None:
    new = tmp_path / "new.safetensors"
    out = run(system, reorder=method, output=new, figure=tmp_path / "f.png")
    content = weights.load(new, model="system32")
    assert f"{new}: SHA-256 {content.sha256}" in out
    assert "left out, because it holds for the old labels only: quantizer.distortion" in out
    assert "quantizer.distortion" not in content.tensors
    note = content.training["reordering"]
    assert (note["method"], note["source_sha256"]) == (
        method,
        read_codebooks(system).weights.sha256,
    )
    flips = read_codebooks(system).flip_probability
    assert flips is not None
    assert note["flip_probability"] == flips.tolist()
    for v, ((before, _), (after, random)) in enumerate(
        zip(_distortions(system, None), _distortions(new, None), strict=True), start=1
    ):
        (line,) = [ln for ln in out.splitlines() if ln.startswith(f"codebook {v}: {method}")]
        assert f"D_ch {before:.4g} -> {after:.4g}, gain {gain_db(after, before)} dB" in line
        if method == "switching":
            assert after < min(before, 0.9 * random)
    assert _is_figure(tmp_path / "f.png")


def test_time_that_runs_out_is_said(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "TIME_LIMIT_S", 1e-9)
    out = run(
        system, reorder="switching", output=tmp_path / "n.safetensors", figure=tmp_path / "f.png"
    )
    assert "codebook 2: switching, 0 swaps, stopped after 1e-09 s: D_ch" in out


def test_distances_that_are_all_equal_print_a_dash(tmp_path: Path) -> None:
    tensors = {"codebook.codewords": torch.ones(2, 1)}
    path = tmp_path / "flat.safetensors"
    weights.save(path, tensors, model="vqvae", config={}, training={})
    out = run(path, figure=tmp_path / "f.png")
    (line,) = [ln.split() for ln in out.splitlines() if ln.split()[1:2] == ["2"]]
    assert (line[-4], line[-1]) == ("-", "-")
    assert _is_figure(tmp_path / "f.png")


def test_best_sizes_that_are_printed_are_those_computed(system: Path, tmp_path: Path) -> None:
    out = run(system, figure=tmp_path / "f.png")
    file = read_codebooks(system)
    assert file.probability is not None
    found = analyse(
        file.codewords[1], probability=file.probability[1], design=0.01,
        flip_probability=[0.1], relative_weight=[1e-4, 1e-3, 0.01, 0.1],
    )  # fmt: skip
    (line,) = [ln.split() for ln in out.splitlines() if ln.split()[:2] == ["2", "0.1"]]
    assert line[2:] == [str(int(k)) for k in found.best_size[0]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip_probability": 0.0}, "--eps must be above 0 and at most 0.5, got 0"),
        ({"flip_probability": float("nan")}, "--eps must be above 0 and at most 0.5, got nan"),
        (
            {"reorder": "sort", "output": "n.safetensors"},
            "--reorder must be walk, amplitude or switching",
        ),
        ({"reorder": "walk"}, "must be given together, got only --reorder"),
        ({"output": "n.safetensors"}, "must be given together, got only --output"),
        ({"reorder": "walk", "output": "n.pt"}, "--output must be a .safetensors file, got n.pt"),
        ({"reorder": "walk", "output": "no/n.safetensors"}, "--output: its folder must exist"),
        ({"figure": "f.pdf"}, "--figure must be a .png file, got f.pdf"),
    ],
)
def test_arguments_that_are_refused(system: Path, options: dict[str, Any], message: str) -> None:
    given = {k: Path(v) if k in ("output", "figure") else v for k, v in options.items()}
    with pytest.raises(ScenarioError, match=message):
        run(system, **given)


def test_files_that_are_refused_in_one_line(system: Path, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"weights must be a \.safetensors file or one of: "):
        run("no-such-weights")
    path = tmp_path / "scalar.safetensors"
    weights.save(path, {"backbone.x": torch.zeros(1)}, model="system32", config={}, training={})
    with pytest.raises(ScenarioError, match="must hold a codebook, got no codewords in ") as found:
        run(path)
    assert len(str(found.value).splitlines()) == 1
    path.write_bytes(b"damaged")
    with pytest.raises(ScenarioError, match=r"scalar\.safetensors must be a safetensors file"):
        run(path)
    with pytest.raises(ScenarioError, match="the new file must not be the old one"):
        run(system, reorder="walk", output=system, figure=tmp_path / "f.png")
