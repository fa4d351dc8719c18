from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec import weights
from semcodec.codebook.file import read_codebooks, write_reordered
from semcodec.errors import WeightsError
from semcodec.vq.codec import VqVaeCodec
from semcodec.vq.vqvae import VqVae, VqVaeConfig


def small_system(**changes: Tensor | None) -> dict[str, Tensor]:
    """Tensors of a system of three codebooks of 8 codewords and 5 cells."""
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(3, 8, generator=generator)
    tensors: dict[str, Tensor | None] = {
        "quantizer.codewords": torch.randn(3, 8, 2, generator=generator),
        "quantizer.probability": p / p.sum(1, keepdim=True),
        "quantizer.flip_probability": 0.5 * torch.rand(3, 5, 3, generator=generator),
        "backbone.conv.weight": torch.randn(8, 8, generator=generator),
    }
    tensors |= {f"quantizer.{name}": value for name, value in changes.items()}
    return {name: value for name, value in tensors.items() if value is not None}


def save(path: Path, tensors: dict[str, Tensor], model: str = "system32") -> Path:
    weights.save(path, tensors, model=model, config={"bits": 3}, training={"step": 7})
    return path


def orders(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    return torch.stack([torch.randperm(size, generator=generator) for _ in range(count)])


def test_system_with_several_codebooks(tmp_path: Path) -> None:
    tensors = small_system()
    file = read_codebooks(save(tmp_path / "s.safetensors", tensors))
    assert (file.model, file.codewords.shape) == ("system32", (3, 8, 2))
    assert file.probability is not None
    assert torch.allclose(file.probability.sum(1), torch.ones(3).double(), atol=1e-12)
    assert torch.allclose(file.probability.float(), tensors["quantizer.probability"], atol=1e-3)
    assert file.flip_probability is not None
    stored = tensors["quantizer.flip_probability"].half().double()
    assert torch.allclose(file.flip_probability, stored.mean(1))


def test_vqvae_has_no_probabilities(tmp_path: Path) -> None:
    tensors = {"codebook.codewords": torch.randn(4, 2), "encoder.weight": torch.zeros(1)}
    file = read_codebooks(save(tmp_path / "v.safetensors", tensors, "vqvae"))
    assert file.codewords.shape == (1, 4, 2)
    assert file.probability is None
    assert file.flip_probability is None


def test_every_tensor_with_an_axis_of_codewords_is_permuted_and_no_other(tmp_path: Path) -> None:
    bias = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    source = save(tmp_path / "s.safetensors", small_system(rate_bias=bias))
    file, order = read_codebooks(source), orders(3, 8)
    path = tmp_path / "new.safetensors"
    digest = write_reordered(file, order, path, note={"method": "walk"})
    old, new = file.weights, weights.load(path, model="system32")
    assert new.sha256 == digest
    assert (new.config, new.training["step"]) == (old.config, 7)
    note = {"method": "walk", "source_sha256": old.sha256, "left_out": []}
    assert new.training["reordering"] == note
    assert "reordering" not in old.training
    for name in ("codewords", "probability", "rate_bias"):
        for v in range(3):
            a, b = (w.tensors[f"quantizer.{name}"][v] for w in (old, new))
            assert torch.equal(b, a[order[v]]), name
    for name in ("quantizer.flip_probability", "backbone.conv.weight"):
        assert torch.equal(new.tensors[name], old.tensors[name])
    back = write_reordered(
        read_codebooks(path), order.argsort(1), tmp_path / "back.safetensors", note={}
    )
    restored = weights.load(tmp_path / "back.safetensors", model="system32")
    assert back == restored.sha256
    assert all(torch.equal(restored.tensors[n], t) for n, t in old.tensors.items())


def test_images_without_errors_stay_bit_identical(tmp_path: Path) -> None:
    config = VqVaeConfig(16, 4, (4, 4, 8), (1, 1), (1, 1, 1))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = VqVae(config)
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (3, 40, 48), generator=generator, dtype=torch.uint8)
    with torch.no_grad():
        latents = network.encode(image[None] / 255)
    network.codebook.restart(latents, iterations=2, generator=generator)
    source = tmp_path / "v.safetensors"
    weights.save(source, network.state_dict(), model="vqvae", config=asdict(config), training={})
    order = orders(1, 16)
    write_reordered(read_codebooks(source), order, tmp_path / "new.safetensors", note={})
    old, new = (VqVaeCodec.load(str(tmp_path / f"{n}.safetensors")) for n in ("v", "new"))
    a, b = old.encode(image), new.encode(image)
    assert not torch.equal(a, b)
    assert torch.equal(order[0][b], a)
    assert torch.equal(old.decode(a, 40, 48), new.decode(b, 40, 48))
    assert torch.equal(new.network.codebook.sums, old.network.codebook.sums[order[0]])
    assert torch.equal(new.network.codebook.counts, old.network.codebook.counts[order[0]])


def test_what_was_measured_with_the_old_labels_is_left_out(tmp_path: Path) -> None:
    source = save(tmp_path / "s.safetensors", small_system(distortion=torch.ones(3, 5)))
    file, path = read_codebooks(source), tmp_path / "new.safetensors"
    assert file.tied_to_labels == ("quantizer.distortion",)
    write_reordered(file, orders(3, 8), path, note={})
    new = weights.load(path, model="system32")
    assert set(file.weights.tensors) - set(new.tensors) == {"quantizer.distortion"}
    assert new.training["reordering"]["left_out"] == ["quantizer.distortion"]
    assert read_codebooks(path).tied_to_labels == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codewords": None}, "s.safetensors must hold a codebook, got no codewords in tensor"),
        ({"codewords": torch.zeros(1, 0, 4)}, "must hold a codebook, got no codewords"),
        ({"codewords": torch.zeros(3, 6, 2)}, r"power of two above 1, got shape \[3, 6, 2\]"),
        ({"codewords": torch.zeros(8, 2)}, r"power of two above 1, got shape \[8, 2\]"),
        ({"codewords": torch.full((3, 8, 2), torch.inf)}, "quantizer.codewords must be finite"),
        ({"probability": torch.ones(3, 4)}, r"probability must be \[3, 8\], got \[3, 4\]"),
        ({"probability": torch.ones(3, 8)}, "must be at least 0 and add up to 1, got from 1 with"),
        ({"flip_probability": torch.ones(3, 3)}, r"must be \[3, N, 3\], got \[3, 3\]"),
        ({"flip_probability": torch.ones(3, 0, 3)}, r"must be \[3, N, 3\], got \[3, 0, 3\]"),
        ({"flip_probability": 2 * torch.ones(3, 1, 3)}, r"flip_probability must be in \[0, 1\]"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, changes: Any, message: str) -> None:
    path = save(tmp_path / "s.safetensors", small_system(**changes))
    with pytest.raises(WeightsError, match=message):
        read_codebooks(path)


def test_other_models_and_damaged_files(tmp_path: Path) -> None:
    path = save(tmp_path / "o.safetensors", {"x": torch.zeros(1)}, "other")
    with pytest.raises(
        WeightsError, match="must hold model vqvae or system32 or moc-rvq, got other"
    ):
        read_codebooks(path)
    path.write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"o.safetensors must be a safetensors file, got"):
        read_codebooks(path)
    path = save(tmp_path / "s.safetensors", small_system())
    path.with_suffix(".sha256").write_text("0" * 64)
    with pytest.raises(WeightsError, match="must have SHA-256 0000"):
        read_codebooks(path)


def test_tensors_that_nobody_said_how_to_permute(tmp_path: Path) -> None:
    path = save(tmp_path / "s.safetensors", small_system(table=torch.ones(3, 5)))
    file = read_codebooks(path)
    with pytest.raises(WeightsError, match=r"to be reordered, got quantizer\.table"):
        write_reordered(file, orders(3, 8), tmp_path / "new.safetensors", note={})
    assert not (tmp_path / "new.safetensors").exists()
    with pytest.raises(WeightsError, match="the new file must not be the old one, got"):
        write_reordered(file, orders(3, 8), tmp_path / "." / "s.safetensors", note={})


def test_moc_rvq_has_a_codebook_for_each_head_of_each_level(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "quantizer.codewords": torch.randn(2, 3, 8, 4, generator=generator),
        "noise_reduction.first.weight": torch.randn(8, 8, generator=generator),
    }
    file = read_codebooks(save(tmp_path / "m.safetensors", tensors, "moc-rvq"))
    assert file.codewords.shape == (6, 8, 4)
    assert torch.equal(file.codewords[4], file.weights.tensors["quantizer.codewords"][1, 1])
    order = orders(6, 8)
    write_reordered(file, order, tmp_path / "new.safetensors", note={})
    new = weights.load(tmp_path / "new.safetensors", model="moc-rvq").tensors
    old = file.weights.tensors
    for level in range(2):
        for head in range(3):
            expected = old["quantizer.codewords"][level, head, order[3 * level + head]]
            assert torch.equal(new["quantizer.codewords"][level, head], expected)
    block = "noise_reduction.first.weight"
    assert torch.equal(new[block], old[block])
