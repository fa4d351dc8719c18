"""Write the tables of docs/scenario.md from the sections' own schema.

    python tools/make_scenario_reference.py

A table stands between ``<!-- schema: PATH ... -->`` and ``<!-- end -->``; what is around it is
written by hand. ``PATH`` is a section (``Phy``), or a key of one (``Phy.code``) whose value is one
of several kinds; several paths make one table of all their kinds.
"""

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from transceiver.scenario.json_schema import json_schema

Node: TypeAlias = dict[str, Any]

PAGE = Path(__file__).parents[1] / "docs" / "scenario.md"
MARKS = re.compile(r"(<!-- schema: ([\w. ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PLAIN_SECTIONS = ("Block", "Crop", "Mode", "Steps", "CapacityBound")
"""Sections of a few keys, which are shown as ``{block}`` where they stand."""


def page_with_tables(page: str) -> str:
    """The page with every table made anew."""
    schema = json_schema()
    headings = frozenset(re.findall(r"^#+ (\w+)$", page, re.MULTILINE))
    return MARKS.sub(lambda m: f"{m[1]}\n{table(schema, m[2].split(), headings)}\n{m[3]}", page)


def covered(page: str) -> set[str]:
    """The names of the sections that the page's tables are about."""
    schema = json_schema()
    paths = [path for _, names, _ in MARKS.findall(page) for path in names.split()]
    return {name for path in paths for name in _sections(schema, path)}


def table(schema: Node, paths: list[str], headings: frozenset[str] = frozenset()) -> str:
    """The table of a section's keys, or of the kinds that a key can have.

    A key with a heading of its own links to it.
    """

    def row(key: str, section: Node) -> str:
        line = _row(schema, key, section)
        return line.replace("section |", f"[section](#{key}) |", 1) if key in headings else line

    names = list(dict.fromkeys(name for path in paths for name in _sections(schema, path)))
    sections = [_section(schema, name) for name in names]
    if "." not in paths[0]:
        lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
        lines += [row(key, s) for s in sections for key in s["properties"]]
        return "\n".join(lines) + "\n"
    shared = [key for key in sections[0]["properties"] if _shared(key, sections)]
    lines = ["| kind | key | type | default | meaning |", "|---|---|---|---|---|"]
    for section in sections:
        kind = _type(schema, section["properties"]["kind"])
        lines.append(f"| {kind} | | | | {_text(section)} |")
        own = [key for key in section["properties"] if key not in ("kind", *shared)]
        lines += [f"| {row(key, section)}" for key in own]
    lines += [f"| *any* {row(key, sections[0])}" for key in shared]
    return "\n".join(lines) + "\n"


def _sections(schema: Node, path: str) -> list[str]:
    """The names of the sections that a path stands for."""
    name, _, key = path.partition(".")
    if not key:
        return [name]
    node = _section(schema, name)["properties"][key]
    refs = re.findall(r'"#/\$defs/(\w+)"', json.dumps(node))
    return [ref for ref in refs if "kind" in _section(schema, ref).get("properties", {})]


def _section(schema: Node, name: str) -> Node:
    return schema if name == "Scenario" else schema["$defs"][name]


def _shared(key: str, sections: list[Node]) -> bool:
    """Whether a key is the same in all of several kinds."""
    if key == "kind" or len(sections) < 2:
        return False
    first = sections[0]["properties"][key]
    return all(section["properties"].get(key) == first for section in sections)


def _row(schema: Node, key: str, section: Node) -> str:
    node = section["properties"][key]
    if key in section.get("required", ()):
        default = "required"
    else:
        default = _value(node["default"]) if node.get("default", "") != "" else ""
    return f"| `{key}` | {_type(schema, node)} | {default} | {_text(node)} |"


def _text(node: Node) -> str:
    return str(node.get("description", "")).replace("|", "&#124;")


def _value(value: object) -> str:
    """A value as YAML, in one line."""
    line = yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n")[0]
    return f"`{line.replace(chr(39), chr(34))}`"


def _type(schema: Node, node: Node) -> str:
    if "const" in node:
        return _value(node["const"])
    if "enum" in node:
        return ", ".join(_value(value) for value in node["enum"])
    if "$ref" in node:
        return _reference(schema, node["$ref"].rpartition("/")[2])
    if "anyOf" in node:
        return _choice(schema, node["anyOf"])
    match node.get("type"):
        case "integer" | "number":
            return str(node["type"]) + _range(node)
        case "boolean":
            return "`true`, `false`"
        case "string":
            pattern = node.get("pattern")
            return f"text like `{pattern}`" if pattern else "text"
        case "array":
            return f"{_count(node)}list of {_type(schema, node['items'])}"
        case "object" if "additionalProperties" in node and "properties" not in node:
            return (
                f"{_count(node)}mapping of names to {_type(schema, node['additionalProperties'])}"
            )
        case _:
            return ""


def _count(node: Node) -> str:
    least = node.get("minItems", node.get("minProperties", 0))
    if least == node.get("maxItems"):
        return f"{least}-item "
    return {0: "", 1: "non-empty "}.get(least, f"{least}-item or longer ")


def _reference(schema: Node, name: str) -> str:
    if name == "JsonValue":
        return "values"
    if name in PLAIN_SECTIONS:
        return f"`{{{', '.join(schema['$defs'][name]['properties'])}}}`"
    return "section"


def _choice(schema: Node, nodes: list[Node]) -> str:
    """The ways to write a value, each once."""
    if {"$ref": "#/$defs/Fraction"} in nodes:
        return _type(schema, nodes[0])
    shown = [_type(schema, node) for node in nodes if node.get("type") != "null"]
    return " or ".join(text for text in dict.fromkeys(shown) if text) or "section"


def _range(node: Node) -> str:
    least, above = node.get("minimum"), node.get("exclusiveMinimum")
    most, below = node.get("maximum"), node.get("exclusiveMaximum")
    power = {2**63 - 1: "2^63 - 1", 2**31 - 1: "2^31 - 1", 2**24: "2^24"}
    if least is not None and most is not None:
        return f", {least} to {power.get(most, most)}"
    low = f"from {least}" if least is not None else f"above {above}" if above is not None else ""
    high = f"below {below}" if below is not None else ""
    return "".join(f" {part}" for part in (low, high) if part)


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text()))
