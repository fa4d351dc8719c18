"""Damaged and disguised weight files: the network, or `WeightsError`; nothing is unpickled."""

import json
import pickle
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from semcodec import weights
from semcodec.errors import WeightsError
from semcodec.system32.codec import SystemCodec
from semcodec.vq.codec import VqVaeCodec
from semcodec.vq.vqvae import VqVae, VqVaeConfig

COUNTS = [80, pytest.param(3000, marks=pytest.mark.conformance)]
CONFIG = VqVaeConfig(16, 4, (4, 4, 8), (1, 1), (1, 1, 1))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = VqVae(CONFIG)
    path = tmp_path_factory.mktemp("weights") / "sound.safetensors"
    config, training = asdict(CONFIG), {"steps": 0}
    weights.save(path, network.state_dict(), model="vqvae", config=config, training=training)
    assert VqVaeCodec.load(str(path)).sha256
    return path


@pytest.fixture
def file(sound: Path, tmp_path: Path) -> Path:
    """A copy with its digest beside it."""
    for suffix in (".safetensors", ".sha256"):
        shutil.copy(sound.with_suffix(suffix), tmp_path / f"w{suffix}")
    return tmp_path / "w.safetensors"


def _loads(path: Path) -> bool:
    """Whether the file is accepted; anything but `WeightsError` is a failure of the test."""
    try:
        VqVaeCodec.load(str(path))
    except WeightsError as error:
        lines = str(error).splitlines()
    else:
        return True
    assert len(lines) == 1, lines
    return False


@pytest.mark.parametrize("count", COUNTS)
def test_with_the_digest_beside_it_no_damage_passes(file: Path, count: int) -> None:
    rng, content = random.Random(1), file.read_bytes()
    for _ in range(count):
        changed = bytearray(content)
        if rng.random() < 0.5:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        else:
            del changed[rng.randrange(len(changed)) :]
        file.write_bytes(changed)
        assert not _loads(file)


@pytest.mark.parametrize("count", COUNTS)
def test_without_a_digest_the_structure_is_checked(file: Path, count: int) -> None:
    """Most of the flips hit the header; one in a weight's bits cannot be noticed."""
    file.with_suffix(".sha256").unlink()
    rng, content = random.Random(2), file.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    accepted = 0
    for i in range(count):
        changed = bytearray(content)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(header if i % 4 else len(content))] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        accepted += _loads(file)
    assert accepted < count / 2
    for length in [*range(0, 64, 3), *range(64, len(content), len(content) // 40)]:
        file.write_bytes(content[:length])
        assert not _loads(file), length


ODD: list[Any] = [None, -1, 0, 3, 1.5, "x", [], [1], {}, True, [[1]], "16", 1 << 40, [1 << 40] * 3]


def test_every_odd_value_of_the_configuration(file: Path) -> None:
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    file.with_suffix(".sha256").unlink()
    configs: list[Any] = [{k: v} for k in asdict(CONFIG) for v in ODD]
    texts = [json.dumps(asdict(CONFIG) | change) for change in configs]
    texts += [json.dumps(value) for value in ODD]
    texts += ["{", "", "[1", "nul", json.dumps(asdict(CONFIG) | {"colour": 1})]
    for text in texts:
        save_file(tensors, file, metadata | {"config": text})
        assert not _loads(file), text
    for key in metadata:
        save_file(tensors, file, {k: v for k, v in metadata.items() if k != key})
        assert not _loads(file), key
    for name in list(tensors)[::5]:
        save_file({k: v for k, v in tensors.items() if k != name}, file, metadata)
        assert not _loads(file) or "counts" in name or "sums" in name, name
        save_file(tensors | {name: tensors[name].reshape(-1)[:1].clone()}, file, metadata)
        assert not _loads(file), name
    save_file(tensors, file, metadata)
    assert _loads(file)


class Payload:
    """Unpickling it would make a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("load", [VqVaeCodec.load, SystemCodec.load])
def test_a_pickle_in_disguise_is_not_unpickled(load: Any, tmp_path: Path) -> None:
    mark, path = tmp_path / "it-ran", tmp_path / "w.safetensors"
    plain = pickle.dumps(Payload(mark))
    torch.save({"weight": Payload(mark)}, tmp_path / "torch")
    saved = (tmp_path / "torch").read_bytes()
    legacy = len(plain).to_bytes(8, "little") + plain
    header = json.dumps({"__metadata__": {"model": plain.hex()}}).encode()
    framed = len(header).to_bytes(8, "little") + header + plain
    for content in (plain, saved, legacy, framed, b"", b"\0" * 8, b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=r"w\.safetensors must"):
            load(str(path))
    assert not mark.exists()
    pickle.loads(plain)
    assert mark.exists()  # so it would have run


def test_an_empty_digest_file_and_other_digests(file: Path) -> None:
    for text in ("", "\n", "0" * 64, "zz"):
        file.with_suffix(".sha256").write_text(text)
        assert not _loads(file)
    file.with_suffix(".sha256").write_bytes(b"\xff\xfe")
    assert not _loads(file)
