"""Any text and any change of a shipped scenario is a `Scenario` or a `ScenarioError`, at once.

Ordinary runs take a few hundred changes, `make conformance` ten thousand.
"""

import copy
import datetime
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver import catalog
from transceiver.check import check
from transceiver.recipe import load_recipe
from transceiver.scenario import Scenario, ScenarioError, load, parse
from transceiver.scenario.load import override, read_yaml

MOST_S = 20
"""For one scenario: far more than any takes on a busy machine, far less than an endless loop."""
SHORT = ["quickstart", "kodak_rayleigh", "phy/nr_tdl_ofdm", "phy/turbo_awgn", "cifar10_bsc"]


def _counts(few: int) -> list[Any]:
    return [few, pytest.param(10_000, marks=pytest.mark.conformance)]


@pytest.fixture(scope="module")
def shipped() -> dict[str, dict[str, Any]]:
    return {name: yaml.safe_load(path.read_text()) for name, path in catalog.scenarios().items()}


def _nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


ODD: list[Any] = [
    None, True, -1, 0, 1, 7, 2**31, 2**63, 2**127, -(2**127), 0.5, 1e308, -1e308, 5e-324,
    float("inf"), float("nan"), "", " ", "x", "1/24", "1/0", "1e999999999", "1/1e-999999999", "-",
    "é", "\0", "~nobody/x", "~", "a\nb", "x" * 5000, "." * 50, "quickstart", [], [None], [1, "x"],
    {}, {"kind": "none"},
    {"kind": None}, {"kind": ["awgn"]}, {"kind": {}}, {"": 1}, [[1]], _nested(80), [0.0] * 2000,
    b"bytes", datetime.date(2026, 1, 1), {1, 2}, {"start": 0, "stop": 1e308, "step": 1e-308},
    {"start": -1e308, "stop": 1e308, "step": 1}, {"block": 0}, {"kind": "amc", "table": "\0"},
    {"kind": "plugin", "name": "x", "options": {"a": _nested(50)}},
]  # fmt: skip


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def changed(rng: random.Random, data: dict[str, Any], others: list[dict[str, Any]]) -> Any:
    """Data after one to three changes of values, keys and whole sections."""
    data = copy.deepcopy(data)
    for _ in range(rng.randrange(1, 4)):
        places = list(_places(data))
        if not places:
            return data
        section, key = rng.choice(places)
        match rng.randrange(6):
            case 0 | 1 | 2:
                section[key] = copy.deepcopy(rng.choice(ODD))
            case 3:
                del section[key]
            case 4:
                donor, other = rng.choice(list(_places(rng.choice(others))))
                section[key] = copy.deepcopy(donor[other])
            case _ if isinstance(section, dict):
                section[rng.choice(["kind", "phy", "x", "", "plan", "budget", "~section"])] = (
                    section.pop(key)
                )
            case _:
                section.append(section[key])
    return data


def _judged(data: Any) -> Scenario | None:
    """The scenario, which must survive being stored; or None for one refused in lines."""
    began = time.process_time()
    try:
        found = parse(data)
    except ScenarioError as error:
        lines = str(error).splitlines()
        found = None
    else:
        lines = ["sound"]
        if not _unprintable(data):
            stored = found.model_dump_json()  # without figure and claims
            assert parse(yaml.safe_load(stored)).model_dump_json() == stored
    assert lines
    assert all(lines), lines
    assert max(map(len, lines)) < 1100
    assert time.process_time() - began < MOST_S
    return found


def _unprintable(value: Any) -> bool:
    """Whether text holds what YAML refuses to read: JSON then cannot be read as YAML."""
    return "\\x00" in repr(value)


@pytest.mark.parametrize("count", _counts(400))
def test_any_change_of_a_scenario(shipped: dict[str, dict[str, Any]], count: int) -> None:
    rng = random.Random(count)
    others = list(shipped.values())
    names = list(shipped) if count > 1000 else SHORT
    sound = sum(_judged(changed(rng, shipped[rng.choice(names)], others)) is not None
                for _ in range(count))  # fmt: skip
    assert 0 < sound < count / 2


@pytest.mark.parametrize("name", SHORT)
def test_every_odd_value_of_every_key(shipped: dict[str, dict[str, Any]], name: str) -> None:
    rng = random.Random(name)
    count = len(list(_places(copy.deepcopy(shipped[name]))))
    for place in range(count):
        for odd in rng.sample(ODD, 8):
            data = copy.deepcopy(shipped[name])
            section, key = list(_places(data))[place]
            section[key] = copy.deepcopy(odd)
            _judged(data)


TOKENS = [
    "[", "]", "{", "}", ":", ",", "- ", "&a ", "*a", "<<: *a\n", "!!python/name:os.system ", "? ",
    "|\n", "'", '"', "#", "\t", "%", "---\n", "...\n", "\0", "\x85", "é", "null", "\n", "0x", "1e9",
    ".inf", "2026-13-45", "!!binary x", "!!set ", "!!omap ",
]  # fmt: skip


def mutilated(rng: random.Random, text: str, other: str) -> str:
    """A text after one to four accidents of typing and copying."""
    for _ in range(rng.randrange(1, 5)):
        place = rng.randrange(len(text) + 1)
        end = min(len(text), place + rng.randrange(1, 30))
        match rng.randrange(6):
            case 0 | 1:
                text = text[:place] + rng.choice(TOKENS) + text[place:]
            case 2:
                text = text[:place] + text[end:]
            case 3:
                text = text[:end] + text[place:]
            case 4:
                text = text[:place] + chr(rng.randrange(0x250)) + text[place + 1 :]
            case _:
                lines = text.splitlines(keepends=True)
                rng.shuffle(lines)
                text = "".join(lines) if rng.random() < 0.2 else text[:place] + other[place:]
    return text


@pytest.mark.parametrize("count", _counts(200))
def test_any_change_of_a_text(count: int, tmp_path: Path) -> None:
    rng, path = random.Random(count), tmp_path / "s.yaml"
    texts = [catalog.scenarios()[name].read_text() for name in SHORT]
    refused = 0
    for _ in range(count):
        path.write_text(mutilated(rng, rng.choice(texts), rng.choice(texts)), encoding="utf-8")
        began = time.process_time()
        try:
            load(path)
        except ScenarioError as error:
            refused += 1
            lines = str(error).splitlines()
        else:
            lines = ["s.yaml: sound"]
        assert [line for line in lines if not line.startswith("s.yaml: ")] == []
        assert time.process_time() - began < MOST_S
    assert refused > count / 2


LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "nothing": (b"", "the file must be a mapping of keys, got NoneType"),
    "no text": (b"\xff\xfe\x00", "cannot be read as text"),
    "nul": (b"name: a\0b", "the file must be YAML: "),
    "a list": (b"[1, 2]", "the file must be a mapping of keys, got list"),
    "deep lists": (b"a: " + b"[" * 1200, "the file must be YAML: it is nested too deeply"),
    "deep mappings": (b"{a: " * 3000, "the file must be YAML: it is nested too deeply"),
    "deep lines": (
        b"".join(b" " * i + b"a:\n" for i in range(1200)), "YAML: it is nested too deeply"
    ),
    "a thousand million laughs": (LAUGHS.encode(), "must have at most 100000 values"),
    "in itself": (b"name: &a [*a]", "YAML: found unconstructable recursive node"),
    "a mapping in itself": (b"name: &a {x: *a}", "YAML: found unconstructable recursive node"),
    "a key that is a list": (b"? [1]\n: 2", "key must be text, got [1]"),
    "a merged list": (b"<<: [1]", "the file must be YAML: "),
    "a Python object": (b"name: !!python/object/apply:os.getcwd []", "could not determine a const"),
    "two documents": (b"name: a\n---\nname: b", "the file must be YAML: "),
    "a long hexadecimal number": (b"a: 1\nseed: 0x" + b"f" * 6000, "line 2: integer must be below"),
    "a long number": (b"seed: " + b"9" * 6000, "the file must be YAML: "),
    "an endless fraction": (b"sweep: {esn0_db: [1e999999999]}", "sweep.esn0_db.0: must "),
    "a date that is none": (b"name: 2026-02-30", "the file must be YAML: day is out of range"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "line"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts(content: bytes, line: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    began = time.process_time()
    for read in (load, load_recipe):
        with pytest.raises(ScenarioError) as error:
            read(path)
        assert all(len(found) < 1100 for found in str(error.value).splitlines())
        if read is load:
            assert line in str(error.value)
    assert time.process_time() - began < MOST_S


def test_aliases_within_reason_are_welcome() -> None:
    text = "phy: {code: &c {kind: none}}\nother: *c\nthird: [*c, *c]"
    assert read_yaml(text)["third"] == [{"kind": "none"}] * 2


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x", "a\0b", "", "\udcff"])
def test_odd_paths(shipped: dict[str, dict[str, Any]], path: str, tmp_path: Path) -> None:
    data = shipped["kodak_awgn"] | {"images": {"kind": "folder", "path": path}}
    plan = {"kind": "amc", "table": f"{path}.yaml"}
    data["codecs"] = {
        "a": {"kind": "vq", "weights": f"{path}.safetensors"},
        "b": {"kind": "vq", "weights": "vqvae-f8-k1024", "plan": plan},
        "c": {"kind": "torch_program", "encoder": path, "decoder": path, "sends": "values"},
        "d": {"kind": "tensorflow", "model": path, "sends": "values"},
        "e": {"kind": "plugin", "file": f"{path}.py", "name": "x"},
    }  # fmt: skip
    with pytest.raises(ScenarioError) as error:
        check(parse(data), folder=tmp_path)
    assert all(str(error.value).splitlines())


@pytest.mark.parametrize("count", _counts(100))
def test_any_assignment(shipped: dict[str, dict[str, Any]], count: int) -> None:
    rng = random.Random(count)
    parts = [
        "codecs",
        "vq",
        "phy",
        "kind",
        "",
        ".",
        "=",
        "sweep",
        "0",
        "a b",
        "{",
        "[1, 2]",
        "null",
        "&a",
        "*a",
    ]
    for _ in range(count):
        text = rng.choice(["", "="]).join(
            rng.choice(parts) + rng.choice([".", "=", ""]) for _ in range(rng.randrange(1, 6))
        )
        try:
            data = override(copy.deepcopy(shipped["quickstart"]), [text])
        except ScenarioError as error:
            data = None
            refusal = str(error)
        if data is None:
            assert refusal.startswith("--set "), refusal
        else:
            _judged(data)
