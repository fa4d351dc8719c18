"""The tables of the scenario reference are those of the schema, and none is missing."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from jsonschema import Draft7Validator

from transceiver.scenario.json_schema import json_schema

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make() -> ModuleType:
    path = ROOT / "tools" / "make_scenario_reference.py"
    spec = importlib.util.spec_from_file_location("make_scenario_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_and_schema_agree(make: ModuleType) -> None:
    """If not: python tools/make_scenario_reference.py."""
    page = make.PAGE.read_text()
    assert make.page_with_tables(page) == page


def test_every_section_has_its_table(make: ModuleType) -> None:
    no_sections = {"PhyOfCodec", "JsonValue", "Fraction"}
    sections = {"Scenario", *json_schema()["$defs"]} - no_sections
    assert make.covered(make.PAGE.read_text()) == sections


def test_the_parts_of_scenarios_on_the_page_are_valid(make: ModuleType) -> None:
    """Whole scenarios are read in test_docs; here those that are some of their keys."""
    schema = json_schema()
    parts = re.findall(r"```yaml\n(?!name:)(.*?)```", make.PAGE.read_text(), re.DOTALL)
    assert len(parts) >= 5
    for text in parts:
        part = yaml.safe_load(text)
        if "channel" in part:  # a codec's own phy may have any of its keys
            part = {"codecs": {"vq": {"kind": "vq", "weights": "vqvae-f8-k1024", "phy": part}}}
        loose = Draft7Validator({**schema, "required": []})
        assert [error.message[:200] for error in loose.iter_errors(part)] == [], text


def test_a_row_says_type_range_default_and_meaning(make: ModuleType) -> None:
    schema = json_schema()
    lines = make.table(schema, ["Phy.code"]).splitlines()
    assert "| `nr` | | | | LDPC code of 5G NR, TS 38.212, rate-matched from k to n bits. |" in lines
    assert "| | `column_weight` | integer from 2 | `3` | Checks of each bit. |" in lines
    (chroma,) = [x for x in make.table(schema, ["JpegCodec"]).splitlines() if "chroma" in x]
    assert chroma.startswith('| `chroma` | `"444"`, `"420"` | `"420"` |')
    (value,) = [x for x in make.table(schema, ["Cbr"]).splitlines() if "`value`" in x]
    assert value.startswith("| `value` | number above 0 | required |")
