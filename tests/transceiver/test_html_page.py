"""The page of a run: it loads nothing, says what the rows say, and cannot be broken out of."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from plotly.offline import get_plotlyjs

from transceiver.html.data import plain, scenario_text
from transceiver.html.embed import BUDGET_BYTES
from transceiver.html.page import labels, report
from transceiver.results import rows
from transceiver.scenario import ScenarioError
from transceiver.scenario.load import parse, read_yaml
from transceiver.store import Store

Run = Callable[..., Store]
Call = Callable[..., tuple[int, str, str]]
LOADING = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background"}


class Reader(HTMLParser):
    """The elements of a page, and the text of scripts, styles and preformatted parts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, dict[str, str | None], str]] = []
        self._open: tuple[str, dict[str, str | None], list[str]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style", "pre", "title", "td"):
            self._open = (tag, dict(attrs), [])

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[2].append(data)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[0] == tag:
            self.texts.append((tag, self._open[1], "".join(self._open[2])))
            self._open = None

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attributes, text) for name, attributes, text in self.texts if name == tag]

    def data(self, name: str) -> Any:
        (text,) = [text for attributes, text in self.of("script") if attributes.get("id") == name]
        return json.loads(text)


@pytest.fixture(scope="module")
def page(finished: Store) -> str:
    return report([finished.folder])


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def test_the_page_loads_nothing(read: Reader) -> None:
    for tag, attributes in read.elements:
        for name in LOADING & set(attributes):
            assert (attributes[name] or "").startswith(("#", "data:")), (tag, name)
        assert tag not in ("iframe", "object", "embed", "base", "audio", "video")
        assert not any(name.startswith("on") for name in attributes)
    ((_, style),) = read.of("style")
    assert "url(" not in style
    assert "@import" not in style
    own = "".join(
        asset.read_text(encoding="utf-8")
        for asset in (files("transceiver.html") / "assets").iterdir()
    )
    assert set(re.findall(r"https?://[^\"'\s]*", own)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(|innerHTML|eval\(", own)


def test_the_policy_allows_these_scripts_and_no_others(read: Reader) -> None:
    (policy,) = [
        attributes["content"]
        for tag, attributes in read.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    run = [text for attributes, text in read.of("script") if "type" not in attributes]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
    assert rules["script-src"] == " ".join(f"'sha256-{found}'" for found in hashes)
    assert len(run) == 3
    assert get_plotlyjs() in run


def test_the_data_are_the_rows_of_the_store(finished: Store, read: Reader) -> None:
    ((run),) = read.data("runs-data")
    table = list(rows(finished))
    assert len(run["points"]) == len(table) == 6
    for point, row in zip(run["points"], table, strict=True):
        assert point["counters"] == vars(row.counters)
        assert point["metrics"] == plain(row.metrics)
        assert point["scalars"] == plain(row.scalars)
        outage = point["rates"].pop("outage_rate")
        assert point["rates"] == plain(row.rates)
        assert outage["value"] == row.outages / row.counters.frames
        names = ("codec", "point", "value", "esn0_db", "ebn0_db", "ebn0_payload_db", "cbr")
        assert [point[name] for name in names] == [plain(getattr(row, name)) for name in names]
    assert [codec["name"] for codec in run["codecs"]] == ["vq", "bpg", "jpeg"]
    assert run["facts"]["seed"] == "3"
    shown = finished.stages("vq")
    assert {stage["name"] for stage in run["codecs"][0]["stages"]} == set(shown)
    assert run["codecs"][2]["stages"] == []  # it never sent


def test_pictures_and_metrics_are_those_of_the_first_picture(finished: Store, read: Reader) -> None:
    ((run),) = read.data("runs-data")
    pictures = read.data("pictures-data")
    first = finished.folder / "images"
    for point in run["points"]:
        file = first / f"{point['codec']}-{point['point']:03d}.png"
        kind, _, data = pictures[point["picture"]]["uri"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data) == file.read_bytes()
        unit = next(iter(finished.units(point["codec"], point["point"])))
        assert point["picture_metrics"] == dict(unit.metrics)
    assert run["sent_name"] == unit.image_name
    assert (
        base64.b64decode(pictures[run["sent"]]["uri"].partition(",")[2])
        == (first / "sent.png").read_bytes()
    )


def test_the_tables_are_there_without_scripts(finished: Store, read: Reader) -> None:
    cells = [text for _, text in read.of("td")]
    for row in rows(finished):
        psnr = row.metrics["psnr"]
        assert f"{psnr.value:.2f} [{psnr.low:.2f}, {psnr.high:.2f}]" in cells
    assert finished.facts()["commit"] in cells
    ((_, text),) = read.of("pre")
    assert parse(read_yaml(text)) == finished.scenario


def test_elements_that_the_scripts_ask_for_are_in_the_page(read: Reader) -> None:
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    scripts = list((files("transceiver.html") / "assets").iterdir())
    text = "".join(a.read_text(encoding="utf-8") for a in scripts if a.name.endswith(".js"))
    asked = set(re.findall(r'element\("([^"$]+)"\)', text))
    assert len(asked) > 30
    assert asked <= set(ids)
    labelled = [attributes.get("for") for tag, attributes in read.elements if tag == "label"]
    assert all(name is None for name in labelled)  # labels hold their fields


def test_hostile_names_stay_text(change: Any, run_in: Run, tmp_path: Path) -> None:
    folder = tmp_path / "<" / "script><script>alert(1)<" / "script><!--"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    PillowImage.fromarray(pixels).save(folder / "<img src=x onerror=alert(1)>&amp;.png")
    data = change(**{"images.path": str(folder), "stop.trials": 1, "sweep.esn0_db": [2.0]})
    data["codecs"] = {"vq": data["codecs"]["vq"]}
    store = run_in(data, folder=tmp_path / "{{policy}}\"'<b>")
    read = Reader(report([store.folder]))
    assert len(read.of("script")) == 5
    assert not any(tag in ("img", "b") and "id" not in a for tag, a in read.elements)
    ((run),) = read.data("runs-data")
    assert run["folder"] == str(store.folder)
    assert run["sent_name"] == "<img src=x onerror=alert(1)>&amp;"
    ((_, text),) = read.of("pre")
    assert read_yaml(text)["images"]["path"] == str(folder)


def test_neither_weights_nor_pictures_are_needed(
    change: Any, run_in: Run, tmp_path: Path, tiny_weights: Path, picture_folder: Path
) -> None:
    shutil.copytree(tiny_weights.parent, tmp_path / "weights")
    shutil.copytree(picture_folder, tmp_path / "pictures")
    data = change(**{"stop.trials": 1, "sweep.esn0_db": [2.0]})
    data["images"]["path"] = str(tmp_path / "pictures")
    data["codecs"] = {"vq": {"kind": "vq", "weights": str(tmp_path / "weights/tiny.safetensors")}}
    store = run_in(data)
    shutil.rmtree(tmp_path / "weights")
    shutil.rmtree(tmp_path / "pictures")
    ((run),) = Reader(report([store.folder])).data("runs-data")
    assert run["codecs"][0]["modulation"] == "4-qam"


def test_a_plan_of_orders_and_powers(small: Any, run_in: Run) -> None:
    plan = {"codecs.system.plan": {"kind": "jcamp"}, "stop.trials": 1}
    keep = {"taps": {"samples": ["symbols", "gain", "indices", "indices_hat", "codebooks"]}}
    store = run_in(small(**plan, **keep))
    ((run),) = Reader(report([store.folder])).data("runs-data")
    (codec,) = run["codecs"]
    assert codec["ideal"] == codec["theory"]["ber"] == []
    made_by = {stage["name"]: stage["made_by"] for stage in codec["stages"]}
    assert made_by["symbols"] == made_by["codebooks"] == "by the plan, jcamp"
    for point in run["points"]:
        signal, counters = point["signal"], point["counters"]
        assert signal["gain"] is not None
        indices = signal["indices"]
        assert (indices["rows"], indices["columns"], indices["spatial"]) == (4, 6, True)
        assert indices["errors"] <= counters["index_errors"]
        assert "indices" in point["counted"]


def test_random_bits_and_a_bsc(bits: Any, run_in: Run) -> None:
    stop = {"block_errors": 1, "max_blocks": 1}
    bsc = {"phy.channel.kind": "bsc", "sweep": {"flip_probability": [0.05, 0.1]}}
    keep = {"taps": {"samples": ["llrs", "coded_bits"]}}
    store = run_in(bits(**bsc, **keep, stop=stop))
    read = Reader(report([store.folder]))
    ((run),) = read.data("runs-data")
    assert read.data("pictures-data") == {}
    assert run["sent"] is None
    assert run["codecs"][0]["ideal"] == []
    theory = run["codecs"][0]["theory"]
    assert theory["ber"] == theory["value"]
    assert theory["esn0_db"][0] is None
    signal = run["points"][1]["signal"]
    assert signal["received"] is None
    zeros, ones = signal["llrs"]["counts"]
    assert sum(zeros) + sum(ones) == 4096  # as many as are kept
    assert signal["values"]["coded_bits"].startswith(("0, ", "1, "))


def test_several_runs_have_different_labels(finished: Store, tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(finished.folder, tmp_path / name)
    read = Reader(report([tmp_path / "a", tmp_path / "b"]))
    assert [run["label"] for run in read.data("runs-data")] == ["a", "b"]
    assert [text for _, text in read.of("title")] == ["a, b"]
    assert labels([finished]) == ["tiny"]
    assert labels([finished, finished]) == [f"{finished.folder.name} ({n})" for n in (1, 2)]


def test_the_page_stays_within_25_mb(read: Reader) -> None:
    """Pictures within their budget, 11 bytes for a symbol, 1.5 MB of everything else."""
    pictures, symbols = BUDGET_BYTES * 4 / 3, 150_000 * 11
    assert len(get_plotlyjs()) + pictures + symbols + 1.5e6 < 25e6
    ((run),) = read.data("runs-data")
    assert len(json.dumps(run["points"])) < 6 * 25_000


def test_scenario_text_gives_the_scenario_again(finished: Store) -> None:
    assert parse(read_yaml(scenario_text(finished.scenario))) == finished.scenario


def test_command(call: Call, finished: Store, tmp_path: Path) -> None:
    output = tmp_path / "page.html"
    code, out, err = call("report", finished.folder, "--output", output)
    assert (code, err) == (0, "")
    size = output.stat().st_size
    assert out == f"{output}: {size / 1e6:.1f} MB\n"
    missing = tmp_path / "no" / "page.html"
    code, out, err = call("report", finished.folder, "--output", missing)
    assert (code, out, err) == (2, "", f"error: --output: its folder must exist, got {missing}\n")
    code, out, err = call("report", tmp_path)
    assert (code, out) == (2, "")
    assert "must be the folder of a run" in err
    code, out, err = call("serve", missing)
    assert (code, out, err) == (2, "", f"error: RUNS: must be a folder, got {missing}\n")


def test_nothing_to_show_is_refused(base: dict[str, Any], tmp_path: Path) -> None:
    from transceiver.store import create_or_resume

    with create_or_resume(tmp_path / "empty", parse(base), {}):
        pass
    with pytest.raises(ScenarioError, match="nothing was run yet"):
        report([tmp_path / "empty"])
    with pytest.raises(ScenarioError, match="RUN must be given at least once, got none"):
        report([])
