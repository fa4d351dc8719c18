"""The JSON Schema of scenarios: accepts what the loader accepts, refuses what it can know."""

import copy
import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from transceiver import catalog
from transceiver.scenario import ScenarioError, parse
from transceiver.scenario.json_schema import json_schema
from transceiver.scenario.load import read_yaml

SCHEMA = Draft7Validator(json_schema())
LOADER = runpy.run_path(str(Path(__file__).with_name("test_scenario_load.py")))

BETWEEN_SECTIONS = (
    "images is required",
    "codecs.jpeg.budget.codec",
    "codecs.bpg: budget.value must be a QP",
    "codecs.jpeg: budget.value must be 1 to 100",
    "codecs.bpg.budget.value: must be a valid number, got '1/0'",
    "sweep.esn0_db.0: must be a finite number",  # not known to JSON
    "sweep.esn0_db.0: must be a valid number, got '1e400'",
    "sweep: esn0_db must be from",
    "sweep: flip_probability must be",
    "sweep.esn0_db: stop must be at least",
    "sweep.esn0_db: step must give at most",
    "sweep must be over flip_probability",
    "sweep must be over esn0_db",
    "stop.trials is required",
    "stop.block_errors and",
    "phy: interleaver.columns must divide",
    "phy: interleaver works on code blocks",
    "phy.code: n must be a multiple",
    "phy.code: row_weight must be more",
    "phy.code: rate must be 8/9",
    "phy.code: k/n must be",
    "codecs must be all of kind bits",
)
"""How the lines of mistakes begin that only the loader sees: values that are compared."""


def _accepts(data: object) -> bool:
    return bool(SCHEMA.is_valid(data))


def test_it_is_a_json_schema() -> None:
    Draft7Validator.check_schema(SCHEMA.schema)
    assert json.loads(json.dumps(SCHEMA.schema)) == SCHEMA.schema


@pytest.mark.parametrize("name", catalog.scenarios())
def test_shipped_scenarios_are_accepted(name: str) -> None:
    data = read_yaml(catalog.scenarios()[name].read_text())
    assert [error.message[:200] for error in SCHEMA.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("changes", "line"), LOADER["ERRORS"], ids=[str(error[1])[:40] for error in LOADER["ERRORS"]]
)
def test_mistakes_of_the_loader_are_refused(
    change: Any, changes: dict[str, Any], line: str
) -> None:
    data = change(**{key: value for key, value in changes.items() if key != "codecs.../x"})
    if "codecs.../x" in changes:
        data["codecs"]["../x"] = changes["codecs.../x"]
    assert _accepts(data) == line.startswith(BETWEEN_SECTIONS)


def test_each_exception_is_one_of_the_loader() -> None:
    lines = [str(line) for _, line in LOADER["ERRORS"]]
    for start in BETWEEN_SECTIONS:
        assert any(line.startswith(start) for line in lines), start


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield schema
        for inner in schema.values():
            yield from _objects(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _objects(inner)


def test_no_section_takes_unknown_keys() -> None:
    sections = list(_objects(SCHEMA.schema))
    assert len(sections) > 70
    assert all(section["additionalProperties"] is False for section in sections)


def test_every_key_says_what_it_is() -> None:
    for section in _objects(SCHEMA.schema):
        for key, node in section["properties"].items():
            if key != "kind":
                assert node["description"].endswith("."), (section.get("description"), key)


VARIANTS: list[dict[str, Any]] = [
    {"phy.decoder": {"iterations": 20}},
    {"phy.decoder": {}},
    {"phy.decoder": {"kind": "sum_product"}},
    {"phy.code": {"kind": "polar", "k": 128, "n": 256}, "phy.decoder": {"list_size": 4}},
    {"phy.code": {"kind": "turbo", "k": 64, "rate": "1/3"}, "phy.decoder": {"algorithm": "map"}},
    {"codecs.bpg.phy": {"crc": "none"}},
    {"codecs.bpg.phy": {}},
    {"codecs.bpg.phy": None},
    {"images.limit": None},
    {"sweep": {"esn0_db": None, "ebn0_db": [1]}},
    {"sweep.esn0_db": {"start": "-1/2", "stop": "1e1", "step": " 1 / 4 "}},
    {"codecs.bpg.budget": {"kind": "cbr", "value": ".5e-1"}},
    {"phy.channel": {"kind": "rician", "fading": {"block": 3}, "k_factor": 2}},
    {"codecs.own": {"kind": "plugin", "name": "x", "file": "a.py", "options": {"a": [1, {}]}}},
    {"figure": {"kind": "curves", "metric": "psnr", "series": {"A": ["vq"]}}},
    {"figure": {"kind": "curves", "metric": ["psnr"], "series": {"A": ["vq"]}}},
    {"claims": [{"kind": "order", "text": "t", "series": ["vq", ["bpg", "jpeg"]],
                 "metric": "psnr"}]},
    {"metrics": ["psnr", {"kind": "lpips"}]},
]  # fmt: skip


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_other_forms_are_accepted(change: Any, changes: dict[str, Any]) -> None:
    data = change(**changes)
    parse(data)
    assert [error.message[:200] for error in SCHEMA.iter_errors(data)] == []


REFUSED: list[dict[str, Any]] = [
    {"phy.decoder": {"iteration": 20}},
    {"phy.decoder": {"iterations": 20, "list_size": 4}},
    {"codecs.bpg.phy": {"cr": "none"}},
    {"codecs.bpg.phy": {"modulation": {"kind": "qam"}}},
    {"codecs.vq.plan": {}},
    {"phy.equalizer": {}},
    {"phy.decoder": None},
    {"codecs.bpg.budget": {"kind": "cbr", "value": "1/"}},
    {"codecs.bpg.budget": {"kind": "cbr", "value": 0}},
    {"sweep.esn0_db": [True]},
    {"phy.channel": {"kind": "tdl", "model": "A"}},
]


@pytest.mark.parametrize("changes", REFUSED, ids=str)
def test_other_mistakes_are_refused(change: Any, changes: dict[str, Any]) -> None:
    data = change(**changes)
    with pytest.raises(ScenarioError):
        parse(data)
    assert not _accepts(data)


def test_whatever_the_loader_accepts_is_accepted(change: Any) -> None:
    """Junk in every place of a scenario, as in the test of the loader."""
    data = change(
        **{
            "codecs.bpg.phy": {"modulation": {"kind": "qam", "order": 4}},
            "sweep.esn0_db": {"start": 1, "stop": 2, "step": "1/2"},
            "metrics": ["psnr", {"kind": "lpips"}],
            "phy.channel": {"kind": "rayleigh", "fading": {"block": 3}},
        }
    )
    loaded = refused = 0
    for place in LOADER["_places"](data):
        for junk in LOADER["JUNK"]:
            changed = copy.deepcopy(data)
            section = changed
            for key in place[:-1]:
                section = section[key]
            section[place[-1]] = junk
            try:
                parse(changed)
            except ScenarioError:
                refused += not _accepts(changed)
                continue
            loaded += 1
            assert _accepts(changed), (place, junk)
    assert loaded > 20
    assert refused > 500


def test_the_command_prints_it(call: Any, tmp_path: Path) -> None:
    code, out, err = call("schema")
    assert (code, err) == (0, "")
    assert json.loads(out) == SCHEMA.schema
    path = tmp_path / "scenario.schema.json"
    code, out, err = call("schema", "--output", path)
    assert (code, out, err) == (0, f"{path}: JSON Schema of scenarios\n", "")
    assert json.loads(path.read_text()) == SCHEMA.schema
    code, out, err = call("schema", "--output", tmp_path / "none" / "s.json")
    assert (code, out) == (2, "")
    assert err.startswith("error: --output: must be a file to write, got ")
