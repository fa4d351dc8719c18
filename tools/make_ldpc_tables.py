"""Make the data files in ``phy/ldpc/tables`` from a collection of the standards' tables.

    python tools/make_ldpc_tables.py ieee80211n_ldpc.json dvbs2_ldpc.json

A collection is a JSON object ``{"<n>_<rate>": {...}}`` with, per code, ``n``, ``z`` and ``base``
(IEEE 802.11n) or ``n``, ``k``, ``q`` and ``rows`` (DVB-S2). Other fields are dropped. The SHA-256
of each file made is printed; ``phy/ldpc/ieee80211n.py`` and ``phy/ldpc/dvbs2.py`` check it when
they load it.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

TABLES = Path(__file__).parents[1] / "phy" / "ldpc" / "tables"
STANDARDS = {
    "ieee80211n": (
        "IEEE 802.11n-2009, Annex R: prototype matrices; base[r][c] is the cyclic shift of the "
        "z x z identity, -1 the zero block",
        ("n", "z", "base"),
    ),
    "dvbs2": (
        "ETSI EN 302 307-1, Annexes B and C: addresses of the parity bit accumulators; one row "
        "for each group of 360 information bits",
        ("n", "k", "q", "rows"),
    ),
}


def table_text(source: str, codes: dict[str, dict[str, Any]], fields: tuple[str, ...]) -> str:
    """The file's text: one row of numbers a line."""
    lines = [f'{{"source": {json.dumps(source)},', '"codes": {']
    for last, (name, code) in enumerate(codes.items(), start=1 - len(codes)):
        scalars = "".join(f'"{field}": {code[field]}, ' for field in fields[:-1])
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in code[fields[-1]])
        lines.append(f'"{name}": {{{scalars}"{fields[-1]}": [\n{rows}\n]}}{"," if last else ""}')
    return "\n".join([*lines, "}}", ""])


def main() -> None:
    """Write each standard's file and print its checksum."""
    for argument in sys.argv[1:]:
        name = next(name for name in STANDARDS if Path(argument).name.startswith(name))
        source, fields = STANDARDS[name]
        text = table_text(source, json.loads(Path(argument).read_text()), fields)
        json.loads(text)
        (TABLES / f"{name}.json").write_text(text)
        print(f"{name}.json {hashlib.sha256(text.encode()).hexdigest()}")


if __name__ == "__main__":
    main()
