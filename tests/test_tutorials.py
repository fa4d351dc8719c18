"""The tutorials' programs and scenarios, taken from the pages and run."""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image as PillowImage
from skimage import data

from semcodec.errors import DecodeError
from semcodec.metrics import psnr
from transceiver import plugins
from transceiver.build import build
from transceiver.check import check
from transceiver.pictures import open_pictures
from transceiver.results import rows
from transceiver.scenario import Scenario, ScenarioError, load
from transceiver.source import Picture
from transceiver.store import Store, open_run
from transceiver.sweep import run

PAGE = (Path(__file__).parents[1] / "docs" / "tutorials" / "own-codec.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}(?: title=\S+)?\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the page's file, its scenario, and a small picture of odd sides."""
    (tmp_path / "my_codecs.py").write_text("\n\n".join(_blocks("python")))
    (scenario,) = (block for block in _blocks("yaml") if block.startswith("name:"))
    (tmp_path / "own.yaml").write_text(scenario)
    (tmp_path / "pictures").mkdir()
    crop = PillowImage.fromarray(data.coffee()[100:199, 200:349])
    crop.save(tmp_path / "pictures" / "coffee.png")
    return tmp_path


def _scenario(home: Path, *assignments: str) -> Scenario:
    pictures = "images={kind: folder, path: pictures}"
    return load(home / "own.yaml", [pictures, *assignments])


def _run(scenario: Scenario, home: Path) -> Store:
    check(scenario, folder=home)
    assert scenario.images is not None
    pictures = open_pictures(scenario.images, folder=home)
    run(scenario, pictures, folder=home / "run", batch=4, progress=lambda *_: None)
    return open_run(home / "run")


def test_the_own_codecs_cross_the_link(home: Path) -> None:
    store = _run(_scenario(home), home)
    found = {(row.codec, row.point): row for row in rows(store)}
    # 16-QAM with code rate 1/2 is below its cliff at 6 dB and above it at 9 dB.
    for codec, least in (("dct", 29), ("deflate", 24), ("jpeg", 30), ("phase", 18)):
        assert found[codec, 1].metrics["psnr"].value > least, codec
        assert found[codec, 1].metrics["psnr"].value > found[codec, 0].metrics["psnr"].value
    assert found["dct", 0].counters.index_errors > 0 == found["dct", 1].counters.index_errors
    assert found["dct", 0].scalars["displacement_mean"] > 0
    assert found["phase", 1].scalars["symbol_power_mean"] == pytest.approx(1, abs=1e-3)
    spent = {codec: found[codec, 1].counters.symbols for codec in ("dct", "deflate", "jpeg")}
    assert spent["dct"] * 0.7 < spent["deflate"] <= spent["dct"]
    blocks = 13 * 19
    runs = {"kept": 8 * 3 + 4 * (10 - 1) + 4 * 2 * (3 - 1)}
    assert found["dct", 1].counters.source_bits == blocks * runs["kept"]
    facts = store.facts()["plugins"].split()
    assert [fact.split(":")[:2] for fact in facts] == [
        [name, "my_codecs.py"] for name in ("dct", "phase", "deflate")
    ]
    assert {"values", "values_hat"} <= set(store.stages("phase"))
    assert {"indices", "llrs", "indices_hat"} <= set(store.stages("dct"))
    assert {"payload", "payload_hat"} <= set(store.stages("deflate"))


def test_a_changed_file_does_not_go_on_with_a_run(home: Path) -> None:
    scenario = _scenario(home, "sweep.esn0_db=[9]")
    first = _run(scenario, home).rows()
    assert _run(scenario, home).rows() == first
    text = (home / "my_codecs.py").read_text()
    (home / "my_codecs.py").write_text(text + "\n# changed\n")
    with pytest.raises(ScenarioError, match="another version of a plugin; give another --out"):
        _run(scenario, home)


def test_damaged_bytes_of_the_byte_codec(home: Path) -> None:
    sender = build(_scenario(home, "codecs.deflate.budget={kind: quality, value: 64}"))["deflate"]
    pixels = torch.from_numpy(data.astronaut()[:30, :41].copy()).movedim(-1, 0)
    frame = sender.encode(Picture(0, "astronaut", pixels))
    payload, codec = frame.payload, sender.link.source.codec
    assert payload is not None
    assert torch.equal(codec.decode(payload, 30, 41), pixels)  # quality 64 is lossless
    generator = torch.Generator().manual_seed(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(payload)
        place = int(torch.randint(len(payload), (), generator=generator))
        damaged[place] ^= 1 << int(torch.randint(8, (), generator=generator))
        try:
            assert codec.decode(bytes(damaged), 30, 41).shape == (3, 30, 41)
        except DecodeError:
            refused += 1
    assert refused > 250  # zlib has a checksum
    for data_ in (b"", b"\x00", b"\x41", payload[:1], payload[: len(payload) // 2]):
        with pytest.raises(DecodeError):
            codec.decode(data_, 30, 41)


def test_the_analog_codec_survives_its_own_noise(home: Path) -> None:
    sender = build(_scenario(home, "codecs.phase.options={shrink: 1}"))["phase"]
    pixels = torch.from_numpy(data.astronaut()[:30, :41].copy()).movedim(-1, 0)
    clean = sender.decode_clean(sender.encode(Picture(0, "astronaut", pixels)))
    assert clean is not None
    assert psnr(pixels, clean) > 60  # a sample may round to its neighbour


@pytest.fixture
def package(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What pip makes of the page's pyproject: a module, and a dist-info folder beside it."""
    (text,) = _blocks("toml")
    project = tomllib.loads(text)["project"]
    site = home / "site"
    info = site / f"my_codecs-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    entries = project["entry-points"][plugins.GROUP]
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{plugins.GROUP}]", *lines]))
    (home / "my_codecs.py").rename(site / "my_codecs.py")
    monkeypatch.syspath_prepend(site)
    yield site
    sys.modules.pop("my_codecs", None)


def test_installed_plugins_need_no_file(
    home: Path, package: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    assert (package / "my_codecs.py").is_file()
    assert set(plugins.installed()) >= {"block-dct", "phase", "deflate"}
    named = {"dct": "block-dct", "phase": "phase", "deflate": "deflate"}
    scenario = _scenario(
        home,
        "sweep.esn0_db=[9]",
        *(f"codecs.{codec}.{key}={value}" for codec, name in named.items()
          for key, value in (("name", name), ("file", "null"))),
    )  # fmt: skip
    check(scenario, folder=home)
    assert "my_codecs" not in sys.modules  # nothing was imported yet
    store = _run(scenario, home)
    digests = [fact.split(":")[:2] for fact in store.facts()["plugins"].split()]
    assert digests == [[codec, "my-codecs==0.1"] for codec in named]
    from transceiver import cli

    monkeypatch.setattr(sys, "argv", ["transceiver", "list", "codecs"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "block-dct" in x)
    assert line.split() == ["plugin", "block-dct", "my-codecs==0.1,", "my_codecs:BlockDct"]
