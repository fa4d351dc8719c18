"""The scenario file as a JSON Schema, by which editors complete keys and mark mistakes.

It is made from the sections, and accepts every file that the loader accepts. What only the whole
scenario can tell (that a budget names a codec of it, that k/n is a rate of the code) is left to
the loader.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias, get_args

from transceiver.scenario.decoder import decoders_of
from transceiver.scenario.document import Quantity, Scenario

Node: TypeAlias = dict[str, Any]

_DIGITS = r"[0-9]+(_[0-9]+)*"
_DECIMAL = rf"[-+]?({_DIGITS}(\.({_DIGITS})?)?|\.{_DIGITS})([eE][-+]?{_DIGITS})?"
FRACTION = rf"^\s*{_DECIMAL}\s*(/\s*{_DECIMAL}\s*)?$"
"""A number as text: what YAML 1.1 does not read as one (``1e-3``), and fractions (``1/24``)."""

_LONG = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def json_schema() -> Node:
    """JSON Schema (draft 7) of a scenario.

    >>> json_schema()["properties"]["seed"]["maximum"] == 2**63 - 1
    True
    """
    schema = Scenario.model_json_schema()
    for node in _nodes(schema):
        _tidy(node)
    sections: dict[str, Node] = schema["$defs"]
    for section in sections.values():
        _require_kind(section)
    _loosen_phy(sections)
    metric = sections["CurvesFigure"]["properties"]["metric"]
    names = {key: metric.pop(key) for key in ("type", "items", "minItems")}
    metric["anyOf"] = [names, {"type": "string"}]
    sections["Sweep"]["oneOf"] = [_given(quantity) for quantity in get_args(Quantity)]
    sections["Fraction"] = {"type": "string", "pattern": FRACTION}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _nodes(node: object) -> Iterator[Node]:
    """Every mapping of a schema, the inner ones first."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for part in list(inner):
        yield from _nodes(part)
    if isinstance(node, dict):
        yield node


def _tidy(node: Node) -> None:
    """Remove what pydantic adds for others; a number may be text."""
    for key in ("title", "discriminator"):
        if isinstance(node.get(key), str) or "propertyName" in node.get(key, {}):
            del node[key]
    if "default" in node and node["default"] is None:
        del node["default"]
    if isinstance(node.get("description"), str):
        node["description"] = " ".join(node["description"].split()).replace("``", "`")
    for short, long in _LONG.items():
        if short in node:
            node[long] = node.pop(short)
    if node.get("type") == "integer" and "exclusiveMaximum" in node:
        node["maximum"] = node.pop("exclusiveMaximum") - 1
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    if node.get("type") == "number":
        number = {key: node.pop(key) for key in ("type", *_LONG.values()) if key in node}
        node["anyOf"] = [number, {"$ref": "#/$defs/Fraction"}]


def _require_kind(section: Node) -> None:
    """The loader chooses by ``kind``, also where the section itself has a default for it."""
    kind = section.get("properties", {}).get("kind")
    if kind is not None:
        kind.pop("default", None)
        section["required"] = list(dict.fromkeys(["kind", *section.get("required", [])]))


def _loosen_phy(sections: dict[str, Node]) -> None:
    """Without a decoder, or its kind, it is that of the code; a codec has only some keys."""
    phy = sections["Phy"]
    phy["required"].remove("decoder")
    codes = _kinds(sections, phy["properties"]["code"])
    decoder = phy["properties"]["decoder"]
    kinds = _kinds(sections, decoder)
    for kind in dict.fromkeys(decoders_of(code)[0] for code in codes):
        keys = {key: value for key, value in kinds[kind]["properties"].items() if key != "kind"}
        decoder["anyOf"].append(
            {"type": "object", "additionalProperties": False, "properties": keys}
        )
    sections["PhyOfCodec"] = {key: value for key, value in phy.items() if key != "required"}
    for section in sections.values():
        for choice in section.get("properties", {}).get("phy", {}).get("anyOf", []):
            if choice.get("$ref") == "#/$defs/Phy":
                choice["$ref"] = "#/$defs/PhyOfCodec"


def _kinds(sections: dict[str, Node], choice: Node) -> dict[str, Node]:
    """The sections that a choice refers to, by their kind."""
    named = [sections[ref["$ref"].rpartition("/")[2]] for ref in choice["anyOf"]]
    return {section["properties"]["kind"]["const"]: section for section in named}


def _given(quantity: str) -> Node:
    return {"required": [quantity], "properties": {quantity: {"not": {"type": "null"}}}}
