"""Plugins and programs in a scenario: what is checked when, and the line that each mistake gets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch import nn

from semcodec.errors import CodecError
from transceiver import plugins
from transceiver.build import build
from transceiver.check import check
from transceiver.encodings import EncodingCache
from transceiver.pictures import open_pictures
from transceiver.results import rows
from transceiver.scenario import ScenarioError, load, parse
from transceiver.source import AnalogSource, ByteSource, IndexSource
from transceiver.store import Store

CODECS = '''
from dataclasses import dataclass
import torch
from semcodec.budget import best_within
from semcodec.codec import IndexRun
from semcodec.errors import BudgetError, DecodeError

@dataclass
class Pooled:
    """Means of squares of pixels, as indices of so many bits."""
    bits: int = 4
    side: int = 8
    sha256: str = ""

    def _small(self, image):
        return torch.nn.functional.avg_pool2d(image.float()[None] / 255, self.side, ceil_mode=True)

    def _large(self, small, height, width):
        small = small.reshape(1, 3, -(-height // self.side), -(-width // self.side))
        large = torch.nn.functional.interpolate(small, scale_factor=float(self.side))
        return (large[0, :, :height, :width].clamp(0, 1) * 255).byte()

    def runs(self, height, width):
        blocks = -(-height // self.side) * -(-width // self.side)
        return (IndexRun("red", blocks, self.bits), IndexRun("rest", 2 * blocks, self.bits))

    def encode(self, image):
        return (self._small(image) * (2**self.bits - 1)).round().long().flatten()

    def decode(self, indices, height, width):
        return self._large(indices.float() / (2**self.bits - 1), height, width)

    def displacement(self, sent, received):
        return (sent - received).abs().float()

class Analog:
    sha256 = "0" * 64
    def encode(self, image):
        return torch.cat((image.float().flatten() - 128, torch.zeros(image.numel() % 2)))
    def decode(self, values, height, width):
        return torch.zeros(3, height, width, dtype=torch.uint8)

class Fixed:
    """Bytes, always the same number."""
    def __init__(self, size=60): self.size = size
    def encode_to_budget(self, image, max_bytes):
        if max_bytes < self.size: raise BudgetError("too small")
        return bytes(self.size)
    def decode(self, data, height, width):
        if len(data) != self.size: raise DecodeError("no")
        return torch.zeros(3, height, width, dtype=torch.uint8)
    def header_bytes(self, data): return 10

class Ladder(Fixed):
    qualities = range(20, 100)
    def encode(self, image, quality): return bytes(quality)
    def encode_to_budget(self, image, max_bytes): return best_within(self, image, max_bytes)
    def decode(self, data, height, width):
        return torch.zeros(3, height, width, dtype=torch.uint8)

def clumsy(**options): raise RuntimeError(f"I cannot\\ndo {options}")
def nothing(): return None
class Wrong(Pooled):
    def encode(self, image): return super().encode(image)[1:]
number = 5
'''
EQUAL = {"kind": "symbols_of", "codec": "mine"}
Change = Callable[..., dict[str, Any]]


@pytest.fixture
def own(change: Change, tmp_path: Path) -> Change:
    """The base scenario with the codec ``mine`` of a file, and JPEG with as many symbols."""
    (tmp_path / "codecs_of_mine.py").write_text(CODECS)
    file = str(tmp_path / "codecs_of_mine.py")

    def changed(name: str = "Pooled", **dotted: Any) -> dict[str, Any]:
        mine = {"kind": "plugin", "file": file, "name": name}
        jpeg = {"kind": "jpeg", "budget": EQUAL}
        return change(**({"codecs": {"jpeg": jpeg, "mine": mine}} | dotted))

    return changed


def _refused(data: dict[str, Any]) -> str:
    with pytest.raises((ScenarioError, CodecError)) as error:
        build(parse(data))
    (line,) = str(error.value).splitlines()
    return line


def test_each_contract_gets_its_source(own: Change) -> None:
    senders = build(parse(own()))
    assert isinstance(senders["mine"].link.source, IndexSource)
    assert list(senders) == ["jpeg", "mine"]
    assert isinstance(build(parse(own("Analog")))["mine"].link.source, AnalogSource)
    data = own("Fixed", **{"codecs.mine.budget": {"kind": "bytes", "value": 80}})
    del data["codecs"]["jpeg"]
    assert isinstance(build(parse(data))["mine"].link.source, ByteSource)


def test_options_are_keyword_arguments(own: Change, picture_folder: Path) -> None:
    scenario = parse(own(**{"codecs.mine.options": {"bits": 7, "side": 4}}))
    assert scenario.images is not None
    picture = open_pictures(scenario.images, folder=picture_folder)[1]  # 33 x 50 pixels
    sender = build(scenario)["mine"]
    assert len(sender.encode(picture).bits) == 7 * 3 * 13 * 9
    assert sender.origin.startswith("codecs_of_mine.py:")
    assert parse(yaml.safe_load(scenario.model_dump_json())) == scenario


def test_budgets_refer_to_plugins(own: Change, run_in: Callable[..., Store]) -> None:
    store = run_in(own(**{"sweep.esn0_db": [9.0], "codecs.mine.options": {"bits": 8, "side": 2}}))
    found = {row.codec: row for row in rows(store)}
    assert 0 < found["jpeg"].counters.symbols <= found["mine"].counters.symbols
    assert found["mine"].counters.index_errors == 0
    assert store.facts()["weights"] == "mine:"
    assert store.facts()["plugins"].startswith("mine:codecs_of_mine.py:")


def test_plugins_in_worker_processes_and_never_kept(
    own: Change, run_in: Callable[..., Store], tmp_path: Path
) -> None:
    """No key could hold what a plugin does; what JPEG makes within its symbols is kept."""
    data = own(**{"sweep.esn0_db": [5.0, 9.0], "stop.trials": 2})
    folder = tmp_path / "cache"
    one, two = run_in(data), run_in(data, jobs=2, cache=EncodingCache(folder))
    assert two.rows() == one.rows()
    entries = [path for path in folder.rglob("*") if path.is_file()]
    assert 0 < len(entries) <= len(open_pictures(one.scenario.images, folder=tmp_path))


def test_an_analog_plugin_over_the_link(own: Change, run_in: Callable[..., Store]) -> None:
    store = run_in(own("Analog", **{"sweep.esn0_db": [9.0]}))
    found = {row.codec: row for row in rows(store)}
    assert found["mine"].scalars["symbol_power_mean"] == pytest.approx(1, abs=1e-3)
    assert store.facts()["weights"] == f"mine:{'0' * 64}"


def test_quality_and_known_headers_need_a_ladder(own: Change, picture_folder: Path) -> None:
    quality = {"kind": "quality", "value": 30}
    needs = "codecs.mine: budget quality and headers: known need qualities and encode, got Fixed"
    data = own("Fixed", **{"codecs.mine.budget": quality})
    data["codecs"].pop("jpeg")
    assert _refused(data).startswith(needs)
    data["codecs"]["mine"] |= {"budget": {"kind": "bytes", "value": 80}, "headers": "known"}
    assert _refused(data).startswith(needs)
    data["codecs"]["mine"]["name"] = "Ladder"
    scenario = parse(data)
    assert scenario.images is not None
    picture = open_pictures(scenario.images, folder=picture_folder)[0]
    sent = build(scenario)["mine"].encode(picture)
    assert sent.payload is not None
    assert (len(sent.payload), len(sent.header)) == (80, 10)
    data["codecs"]["mine"] |= {"budget": quality, "headers": "counted"}
    assert build(parse(data))["mine"].encode(picture).payload == bytes(30)
    quality["value"] = 19
    wanted = "codecs.mine.budget.value: must be one of range(20, 100) for Ladder, got 19"
    assert _refused(data) == wanted


@pytest.mark.parametrize(
    ("name", "changes", "line"),
    [
        ("clumsy", {"options": {"a": 1}},
         "codecs.mine: clumsy must make a codec of options {'a': 1}, got RuntimeError: I cann"),
        ("Pooled", {"options": {"bit": 1}},
         "codecs.mine: Pooled must make a codec of options {'bit': 1}, got TypeError: "),
        ("nothing", {}, "codec mine must have encode, decode, runs, "),
        ("number", {}, "codecs.mine: number must be a class or function, got int"),
        ("Absent", {},
         "codecs.mine: Absent must be importable, got AttributeError: codecs_of_mine.py has no A"),
        ("Fixed", {}, "codecs.mine.budget: is required, as Fixed is a byte codec"),
        ("Pooled", {"budget": {"kind": "bytes", "value": 9}},
         "codecs.mine.budget: must be left out, as Pooled is no byte codec"),
        ("Analog", {"plan": {"kind": "amc", "table": "dvbs2-64800"}},
         "codecs.mine.plan: must be fixed for an analog codec, got amc"),
    ],
)  # fmt: skip
def test_what_is_known_once_a_plugin_is_loaded(
    own: Change, name: str, changes: dict[str, Any], line: str
) -> None:
    data = own(name)
    data["codecs"] = {"mine": data["codecs"]["mine"] | changes}
    assert _refused(data).startswith(line)


def test_an_analog_plugin_needs_symbols_and_has_no_source_bits(own: Change) -> None:
    bsc = {"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.01]}}
    for changes in (bsc, {"sweep": {"ebn0_db": [3]}}):
        data = own("Analog", **changes)
        del data["codecs"]["jpeg"]
        assert _refused(data).startswith("codecs.mine: Analog sends no bits, so it needs a channel")
    equal = {"kind": "source_bits_of", "codec": "mine"}
    data = own("Analog", **{"codecs.jpeg.budget": equal})
    wanted = "codecs.jpeg.budget: source_bits_of needs a codec that sends bits, got mine"
    assert _refused(data) == wanted


def test_a_codec_that_breaks_its_promise_is_one_line(
    own: Change, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    data = own("Wrong")
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(data))
    code, _, err = call("run", tmp_path / "wrong.yaml", "--out", tmp_path / "run")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("error: codec mine: encode must return int64 [90], as runs says, got")


def test_nothing_of_a_plugin_runs_before_the_run(own: Change, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("raise SystemError('it ran')")
    loud = {"kind": "plugin", "name": "x", "file": "loud.py"}
    data = own(codecs={"loud": loud})
    (tmp_path / "loud.yaml").write_text(yaml.safe_dump(data))
    scenario = load(tmp_path / "loud.yaml")  # the path starts at the scenario's folder
    assert scenario.codecs["loud"].file == str(tmp_path / "loud.py")
    check(scenario, folder=tmp_path)
    with pytest.raises(ScenarioError, match="x must be importable, got SystemError: it ran"):
        build(scenario)
    with pytest.raises(ScenarioError, match="it ran"):  # and again: nothing half-made is kept
        build(scenario)


def test_a_file_and_a_name_that_are_not_there(own: Change, tmp_path: Path) -> None:
    data = own()
    data["codecs"]["mine"]["file"] = str(tmp_path / "none.py")
    with pytest.raises(
        ScenarioError, match=r"^codecs.mine.file: must be a Python file, got .*none"
    ):
        check(parse(data), folder=tmp_path)
    del data["codecs"]["mine"]["file"]
    known = ", ".join(plugins.installed()) or "there is none"
    wanted = (
        f"codecs.mine.name: must be an installed plugin ({known}) or be accompanied by its file"
    )
    with pytest.raises(ScenarioError) as error:
        check(parse(data), folder=tmp_path)
    assert str(error.value) == f"{wanted}, got Pooled"
    assert _refused(data) == f"{wanted}, got Pooled"


def test_a_name_of_two_packages(
    own: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        info = tmp_path / name / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\nmine = {name}:Codec\n")
        monkeypatch.syspath_prepend(tmp_path / name)
    data = own("mine")
    del data["codecs"]["mine"]["file"]
    wanted = "codecs.mine.name: plugin mine must be registered by one package, got one==1.0 and two"
    with pytest.raises(ScenarioError, match=wanted):
        check(parse(data), folder=tmp_path)


SECTION_ERRORS = [
    ({"options": {"a": float("inf")}}, "options must be finite numbers, text, lists and mappings"),
    ({"options": [1]}, "codecs.mine.options: must be a valid dictionary, got [1]"),
    ({"file": "codec.txt"}, "codecs.mine.file: must match pattern"),
    ({"headers": "known"}, "headers: known is for byte codecs, which need a budget, got none"),
    ({"plan": {"kind": "adaptive", "modes": [{"order": 4, "esn0_db": 0}]}},
     "plan adaptive is for byte codecs, which need a budget, got none"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "line"), SECTION_ERRORS)
def test_plugin_section(own: Change, changes: dict[str, Any], line: str) -> None:
    data = own()
    data["codecs"]["mine"] |= changes
    with pytest.raises(ScenarioError) as error:
        parse(data)
    assert line in str(error.value)


PROGRAM = {"kind": "torch_program", "encoder": "e.pt2", "decoder": "d.pt2"}


@pytest.mark.parametrize(
    ("section", "line"),
    [
        (PROGRAM | {"sends": "indices"}, "bits is required where sends is indices"),
        (PROGRAM | {"sends": "values", "bits": 3}, "bits must be left out where sends is values"),
        (PROGRAM | {"sends": "indices", "bits": 33}, "must be less than or equal to 32, got 33"),
        (PROGRAM | {"sends": "values", "plan": {"kind": "amc", "table": "x"}},
         "plan must be fixed where sends is values, got amc"),
        (PROGRAM | {"sends": "words"}, "must be 'indices' or 'values', got 'words'"),
        ({"kind": "tensorflow", "sends": "values"}, "codecs.net.model: is required"),
    ],
)  # fmt: skip
def test_program_section(change: Change, section: dict[str, Any], line: str) -> None:
    with pytest.raises(ScenarioError) as error:
        parse(change(codecs={"net": section}))
    assert line in str(error.value)


def test_programs_are_looked_for(change: Change, tmp_path: Path) -> None:
    net = PROGRAM | {"sends": "indices", "bits": 2}
    keras = {"kind": "tensorflow", "model": "keras", "sends": "values"}
    (tmp_path / "s.yaml").write_text(
        yaml.safe_dump(change(codecs={"net": net, "keras": keras}), sort_keys=False)
    )
    with pytest.raises(ScenarioError) as error:
        check(load(tmp_path / "s.yaml"), folder=tmp_path)
    lines = str(error.value).splitlines()
    for i, part in enumerate(("encoder", "decoder")):
        file = tmp_path / f"{part[0]}.pt2"
        assert lines[i] == (
            f"codecs.net.{part}: must be a file of torch.export.save (.pt2), got {file}"
        )
    wanted = f"codecs.keras.model: must be the folder of a SavedModel, got {tmp_path / 'keras'}"
    assert lines[2] == wanted


def test_a_torch_program_over_the_link(
    change: Change, tmp_path: Path, run_in: Callable[..., Store]
) -> None:
    """Sizes, digest, and that the same network sent as indices or values crosses the link."""
    import torch

    class Down(nn.Module):
        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return (nn.functional.avg_pool2d(picture, 4) * 15).round().long()

    class Up(nn.Module):
        def forward(self, sent: torch.Tensor) -> torch.Tensor:
            return nn.functional.interpolate(sent.float() / 15, scale_factor=4.0)

    rows_, columns = (torch.export.Dim(name, min=2, max=99) for name in ("rows", "columns"))
    for name, part, example, sizes in (
        ("e", Down(), torch.zeros(1, 3, 8, 12), {2: 4 * rows_, 3: 4 * columns}),
        ("d", Up(), torch.zeros(1, 3, 8, 12).long(), {2: rows_, 3: columns}),
    ):
        program = torch.export.export(part, (example,), dynamic_shapes=(sizes,))
        torch.export.save(program, tmp_path / f"{name}.pt2")
    net = {
        "kind": "torch_program", "sends": "indices", "bits": 4, "multiple": 4,
        "encoder": str(tmp_path / "e.pt2"), "decoder": str(tmp_path / "d.pt2"),
    }  # fmt: skip
    equal = {"kind": "jpeg", "budget": {"kind": "source_bits_of", "codec": "net"}}
    data = change(codecs={"net": net, "jpeg": equal}, **{"sweep.esn0_db": [-1.0, 9.0]})
    store = run_in(data)
    found = {(row.codec, row.point): row for row in rows(store)}
    assert found["net", 1].counters.index_errors == 0 < found["net", 0].counters.index_errors
    assert found["net", 1].metrics["psnr"].value > found["net", 0].metrics["psnr"].value
    assert found["net", 0].scalars["displacement_mean"] == pytest.approx(
        found["net", 0].rates["index_error_rate"].value, rel=1e-3
    )
    weights = store.facts()["weights"]
    assert weights.startswith("net:")
    assert len(weights) == len("net:") + 64
    (tmp_path / "e.sha256").write_text(f"{'0' * 64}  e.pt2\n")
    with pytest.raises(ScenarioError, match=r"codecs.net.encoder: e.pt2 must have the SHA-256 in"):
        check(parse(data), folder=tmp_path)
