"""A trained system and its weight file."""

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from semcodec import weights
from semcodec.errors import WeightsError
from semcodec.system32.backbone import Backbone
from semcodec.system32.subvectors import join, split
from semcodec.system32.system import (
    MODEL,
    Codebooks,
    System,
    SystemConfig,
    load_system,
    save_system,
)

CONFIG = SystemConfig(8, 4, 2, 3, 2, bounded=False, trained_as="learned_flips")


def _normal(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _system(config: SystemConfig = CONFIG, **tables: Tensor) -> System:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        backbone = Backbone(config.width, config.latent_channels, bounded=config.bounded)
    size = 2**config.bits_per_index
    codewords = 0.3 * _normal(config.codebooks, size, config.dimension, seed=2)
    probability = torch.full((config.codebooks, size), 1 / size)
    return System(config, backbone, Codebooks(codewords, probability, **tables))


ALL_TABLES = {
    "rate_bias": _normal(2, 8, seed=3).abs(),
    "flip_probability": torch.full((2, 16, 3), 0.01),
    "distortion": _normal(2, 16, seed=4).abs(),
}


@pytest.mark.parametrize("tables", [{}, ALL_TABLES])
def test_what_is_saved_is_loaded(tables: dict[str, Tensor], tmp_path: Path) -> None:
    system = _system(**tables)
    digest = save_system(tmp_path / "s.safetensors", system, training={"steps": 5})
    loaded, content = load_system(str(tmp_path / "s.safetensors"))
    assert loaded.config == CONFIG
    assert content.sha256 == digest
    assert content.training["steps"] == 5
    before, after = system.tensors(), loaded.tensors()
    assert set(before) == set(after)
    stored = {name: tensor.half().float() for name, tensor in before.items()}
    assert all(torch.equal(stored[name], after[name]) for name in before)
    pictures = _normal(2, 3, 16, 16, seed=5)
    assert torch.allclose(loaded.encode(pictures), system.encode(pictures), atol=1e-3)
    save_system(tmp_path / "again.safetensors", loaded, training={"steps": 5})
    again, _ = load_system(str(tmp_path / "again.safetensors"))
    assert torch.equal(again.encode(pictures), loaded.encode(pictures))
    assert all(not p.requires_grad for p in loaded.parameters())


def test_encode_and_decode_are_the_networks() -> None:
    system, pictures = _system(), _normal(2, 3, 16, 24, seed=5)
    vectors = system.encode(pictures)
    assert vectors.shape == (2, 4 * 6 * 2, 2)
    latents = system.backbone.encode(pictures)
    assert torch.allclose(vectors, split(latents, 2), atol=1e-6)
    decoded = system.decode(vectors, height=16, width=24)
    again = system.backbone.decode(join(vectors, channels=4, height=4, width=6))
    assert torch.allclose(decoded, again, atol=1e-5)
    assert not decoded.requires_grad


@pytest.mark.parametrize("biased", [True, False])
def test_choose_and_lookup_are_those_of_a_loop(biased: bool) -> None:
    tables = _system(**({"rate_bias": ALL_TABLES["rate_bias"]} if biased else {})).codebooks
    vectors = 0.3 * _normal(3, 10, 2, seed=6)
    chosen = tables.choose(vectors)
    assert chosen.shape == (2, 3, 10)
    for v in range(2):
        for picture in range(3):
            for n in range(10):
                z = vectors[picture, n].double()
                cost = (tables.codewords[v] - z).square().sum(1)
                if tables.rate_bias is not None:
                    cost = cost + tables.rate_bias[v]
                assert int(chosen[v, picture, n]) == int(cost.argmin())
    books = torch.randint(2, (10,), generator=torch.Generator().manual_seed(7))
    for given in (books, books.expand(3, 10)):
        found = tables.lookup(chosen[0], given)
        assert found.shape == (3, 10, 2)
        for n in range(10):
            word = tables.codewords[books[n], chosen[0, 1, n]]
            assert torch.equal(found[1, n], word)


def test_config_counts_and_refuses() -> None:
    assert CONFIG.per_cell == 2
    assert replace(CONFIG, dimension=4).per_cell == 1
    with pytest.raises(ValueError, match=r"^dimension must divide latent_channels 4, got 3$"):
        replace(CONFIG, dimension=3)
    for bits in (0, 17):
        with pytest.raises(ValueError, match=rf"^bits_per_index must be 1 to 16, got {bits}$"):
            replace(CONFIG, bits_per_index=bits)


def _broken(tmp_path: Path, *, config: dict[str, Any] | None = None, **changed: Any) -> str:
    system = _system()
    tensors = system.tensors()
    for name, tensor in changed.items():
        if tensor is None:
            tensors.pop(name)
        else:
            tensors[name] = tensor
    path = tmp_path / "broken.safetensors"
    weights.save(path, tensors, model=MODEL, config=asdict(CONFIG) | (config or {}), training={})
    return str(path)


@pytest.mark.parametrize(
    ("config", "changed", "message"),
    [
        ({"width": 10}, {}, "broken.safetensors must fit the network it names, got "),
        ({"width": 7}, {}, "got width must be even and at least 2, got 7"),
        ({"dimension": 3}, {}, "got dimension must divide latent_channels 4, got 3"),
        ({"colour": 1}, {}, "unexpected keyword argument 'colour'"),
        ({}, {"backbone.encoder.0.bias": None}, "must fit the network it names"),
        ({}, {"quantizer.codewords": None}, "must fit the network it names"),
        ({}, {"quantizer.other": torch.zeros(2)}, "unexpected keyword argument 'other'"),
        ({}, {"quantizer.codewords": torch.zeros(2, 8, 4)},
         "must have codewords [2, 8, 2] and their probabilities, got [2, 8, 4] and [2, 8]"),
        ({}, {"quantizer.probability": torch.zeros(2, 4)}, "got [2, 8, 2] and [2, 4]"),
        ({"bits_per_index": 4}, {}, "must have codewords [2, 16, 2]"),
        ({"codebooks": 1}, {}, "must have codewords [1, 8, 2]"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused(
    tmp_path: Path, config: dict[str, Any], changed: dict[str, Any], message: str
) -> None:
    path = _broken(tmp_path, config=config, **changed)
    with pytest.raises(WeightsError, match=re.escape(message)):
        load_system(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    weights.save(path, _system().tensors(), model="vqvae", config={}, training={})
    with pytest.raises(WeightsError, match="system32"):
        load_system(str(path))
    with pytest.raises(WeightsError, match="absent"):
        load_system(str(tmp_path / "absent.safetensors"))
