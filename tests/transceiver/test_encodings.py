"""Source encodings kept on disk: the same rows, without encoding again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from semcodec.bpg.codec import Bpg
from semcodec.checked import CheckedAnalogCodec, checked
from semcodec.errors import BudgetError
from semcodec.jpeg import Jpeg
from semcodec.vq.codec import VqVaeCodec
from semcodec.webp import WebP
from transceiver.build import build
from transceiver.encodings import EncodingCache, default_folder, encode
from transceiver.encodings import key as keys
from transceiver.pictures import Pictures, open_pictures
from transceiver.scenario import parse
from transceiver.source import AnalogSource, AtQuality, ByteSource, IndexSource, Picture, Within
from transceiver.store import Store

Run = Callable[..., Store]


@pytest.fixture
def cache(tmp_path: Path) -> EncodingCache:
    return EncodingCache(tmp_path / "cache")


@pytest.fixture
def pictures(base: dict[str, Any], tmp_path: Path) -> Pictures:
    scenario = parse(base)
    assert scenario.images is not None
    return open_pictures(scenario.images, folder=tmp_path)


def _entries(cache: EncodingCache) -> list[Path]:
    return sorted(path for path in cache.folder.rglob("*") if path.is_file())


def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing can be encoded."""

    def refuse(*_: object) -> None:
        raise AssertionError("encoded again")

    for codec in (Bpg, Jpeg, VqVaeCodec):
        monkeypatch.setattr(codec, "encode", refuse)
    for codec in (Bpg, Jpeg):
        monkeypatch.setattr(codec, "encode_to_budget", refuse)


def _key_of(codec: Any, picture: Picture, limit: Any, *, headers_known: bool = False) -> str | None:
    source = ByteSource(
        codec, lambda _: limit, lambda *_: b"", headers_known=headers_known, best_effort=False
    )
    return keys.byte_key(source, picture, limit)


def test_the_key_of_a_bitstream_tells_all_it_depends_on(
    pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = pictures[0]
    brighter = picture.pixels.clone()
    brighter[2, 3, 4] ^= 1
    turned = picture.pixels.reshape(3, *reversed(picture.pixels.shape[1:]))
    same = replace(picture, key=9, name="other", pixels=picture.pixels.clone())
    first = _key_of(Bpg(), picture, Within(300))
    assert first == _key_of(Bpg(), same, Within(300))
    others = [
        _key_of(Bpg(), replace(picture, pixels=brighter), Within(300)),
        _key_of(Bpg(), replace(picture, pixels=turned), Within(300)),
        _key_of(Bpg(), picture, Within(301)),
        _key_of(Bpg(), picture, AtQuality(30)),
        _key_of(Bpg(chroma="420"), picture, Within(300)),
        _key_of(Bpg(preset="fast"), picture, Within(300)),
        _key_of(Bpg(), picture, Within(300), headers_known=True),
        _key_of(Jpeg(), picture, Within(300)),
        _key_of(Jpeg(chroma="444"), picture, Within(300)),
        _key_of(WebP(), picture, Within(300)),
    ]
    monkeypatch.setattr(keys, "version", lambda _: "0.0")
    others.append(_key_of(Bpg(), picture, Within(300)))
    others.append(_key_of(WebP(), picture, Within(300)))
    monkeypatch.setattr(keys, "_source_code", lambda: "changed")
    others.append(_key_of(Bpg(), picture, Within(300)))
    assert None not in others
    assert len({first, *others}) == 1 + len(others)


def test_at_a_fixed_quality_headers_do_not_matter(pictures: Pictures) -> None:
    known, counted = (
        _key_of(Jpeg(), pictures[0], AtQuality(30), headers_known=h) for h in (True, False)
    )
    assert known == counted


def test_the_key_of_indices_tells_weights_and_arithmetic(
    base: dict[str, Any], pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = build(parse(base))["vq"].link.source.codec
    assert isinstance(codec, VqVaeCodec)
    first = keys.network_key(IndexSource(codec), pictures[0])
    assert first == keys.network_key(IndexSource(replace(codec)), pictures[0])
    found = [
        first,
        keys.network_key(IndexSource(codec), pictures[1]),
        keys.network_key(IndexSource(replace(codec, sha256="0" * 64)), pictures[0]),
    ]
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads + 1)
    found.append(keys.network_key(IndexSource(codec), pictures[0]))
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "other")
    found.append(keys.network_key(IndexSource(codec), pictures[0]))
    assert None not in found
    assert len(set(found)) == len(found)


@dataclass(frozen=True)
class Ramp:
    """An analog codec: values that rise by ``step``, cut at the limits of its ``table``."""

    sha256: str
    step: float
    table: tuple[float, float] | None = None

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return image.flatten()[:8].float() * self.step

    def decode(self, values: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return (values.mean() / self.step).byte().expand(3, height, width)


def test_values_are_kept_exactly(cache: EncodingCache, pictures: Pictures) -> None:
    source = AnalogSource(Ramp("a" * 64, 1 / 3))
    first, again = (encode(source, pictures[0], cache) for _ in range(2))
    assert len(_entries(cache)) == 1
    assert first.values is not None
    assert again.values is not None
    assert again.values.dtype == torch.float32
    assert torch.equal(first.values, again.values)
    encode(AnalogSource(Ramp("a" * 64, 1 / 7)), pictures[0], cache)
    assert len(_entries(cache)) == 2  # a plain setting of the codec is part of the key


class Net(nn.Module):
    """An analog codec of somebody else's."""

    sha256 = "b" * 64

    def encode(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :2, :1].flatten().float()

    def decode(self, values: torch.Tensor, height: int, width: int) -> torch.Tensor:
        return values[:3].byte()[:, None, None].repeat(1, height, width)


def test_codecs_that_are_not_understood_are_never_kept(
    cache: EncodingCache, pictures: Pictures
) -> None:
    """Settings that are no plain values, and libraries whose version nobody asks for."""
    source = AnalogSource(Ramp("a" * 64, 1.0, table=(0.0, 1.0)))
    assert encode(source, pictures[0], cache).values is not None

    class Own(Jpeg):
        pass

    @dataclass(frozen=True)
    class Strange:
        quality: int = 3

    assert _key_of(Strange(), pictures[0], Within(300)) is None
    assert _key_of(Own(), pictures[0], Within(9)) != _key_of(Jpeg(), pictures[0], Within(9))
    net = checked(Net(), "net")
    assert isinstance(net, CheckedAnalogCodec)
    theirs = AnalogSource(net)  # a module: its digest says nothing of its code
    assert encode(theirs, pictures[0], cache).values is not None
    assert _entries(cache) == []


def test_rows_are_the_same_with_and_without_and_nothing_is_encoded_twice(
    finished: Store,
    base: dict[str, Any],
    run_in: Run,
    cache: EncodingCache,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Indices, bitstreams, and the outages of JPEG; then with another point, and damage."""
    assert run_in(base, cache=cache).rows() == finished.rows()
    entries = _entries(cache)
    assert len(entries) == 9  # three pictures of three codecs, for two points
    for path in entries[::2]:
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert run_in(base, cache=cache, batch=2).rows() == finished.rows()
    assert _entries(cache) == entries
    _no_encoder(monkeypatch)
    longer = {**base, "sweep": {"esn0_db": [0.5, 2.0, 4.0]}}
    rows = run_in(longer, cache=cache).rows()
    assert set(finished.rows()) < set(rows)
    with pytest.raises(AssertionError, match="encoded again"):
        run_in(base)
    other = {**base, "codecs": {**base["codecs"], "bpg": {**base["codecs"]["bpg"]}}}
    other["codecs"]["bpg"]["budget"] = {"kind": "bytes", "value": 301}
    with pytest.raises(AssertionError, match="encoded again"):
        run_in(other, cache=cache)


def test_known_headers_and_budgets_of_others(
    change: Any, cache: EncodingCache, pictures: Pictures
) -> None:
    """What is kept gives the same frame: payload, header that is not sent, bits."""
    data = change(
        **{
            "codecs.bpg": {"kind": "bpg", "headers": "known", "budget": {"kind": "symbols_of",
                                                                       "codec": "vq"}},
            "codecs.jpeg": {"kind": "webp", "budget": {"kind": "quality", "value": 30}},
        }
    )  # fmt: skip
    plain, first, again = (build(parse(data), cache=c) for c in (None, cache, cache))
    for name in data["codecs"]:
        for picture in pictures:
            sent = [senders[name].encode(picture) for senders in (plain, first, again)]
            assert sent[0].header == sent[1].header == sent[2].header
            assert sent[0].payload == sent[1].payload == sent[2].payload
            assert torch.equal(sent[0].bits, sent[1].bits)
            assert torch.equal(sent[0].bits, sent[2].bits)
            assert sent[2].picture is picture
    assert sent[0].payload
    assert plain["bpg"].encode(pictures[0]).header


def test_an_outage_is_remembered_in_its_words(
    base: dict[str, Any], cache: EncodingCache, pictures: Pictures
) -> None:
    texts = []
    for _ in range(2):
        with pytest.raises(BudgetError) as error:
            build(parse(base), cache=cache)["jpeg"].encode(pictures[0])
        texts.append(str(error.value))
    assert texts[0] == texts[1]
    assert texts[0].startswith("max_bytes must be at least ")


def test_commands_take_the_cache_or_leave_it(
    change: Any, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = change(**{"stop.trials": 1, "sweep.esn0_db": [4], "codecs.jpeg": ...})
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    common = (file, "--no-figures", "--out")
    assert call("run", *common, tmp_path / "a", "--no-cache")[0] == 0
    assert not default_folder().exists()
    assert call("run", *common, tmp_path / "b", "--cache", tmp_path / "own" / "deep")[0] == 0
    assert len(_entries(EncodingCache(tmp_path / "own" / "deep"))) == 6
    assert not default_folder().exists()
    assert call("run", *common, tmp_path / "c")[0] == 0
    assert len(_entries(EncodingCache(default_folder()))) == 6
    assert default_folder().is_relative_to(tmp_path / "xdg")
    _no_encoder(monkeypatch)
    assert call("run", *common, tmp_path / "d")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cache", "x", "--no-cache"), "--cache: must be left out with --no-cache"),
        (("--cache-gb", "0"), "--cache-gb must be at least 0.001, got 0"),
        (("--cache-gb", "nan"), "--cache-gb must be at least 0.001, got nan"),
    ],
)
def test_options_that_do_not_go_together(call: Any, options: tuple[str, ...], message: str) -> None:
    for command in ("run", "reproduce"):
        assert call(command, "quickstart", *options) == (2, "", f"error: {message}\n")


def test_a_cache_that_is_a_file_is_refused(call: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, out, err = call(
        "run", "quickstart", "--out", tmp_path / "run", "--cache", tmp_path / "file"
    )
    assert (code, out) == (2, "")
    assert err == f"error: --cache: must be a folder, got {tmp_path / 'file'}\n"
