"""The page: one file that loads nothing."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from transceiver.html.data import RunData, plain, run_data, run_rows
from transceiver.html.embed import Album, Embedded, embed
from transceiver.html.tables import facts, results
from transceiver.scenario import ScenarioError
from transceiver.store import Store, open_run

_SCRIPTS = ("core.js", "charts.js", "signal.js", "pictures.js", "chain.js", "main.js")
"""In this order; each uses the ones before."""

_MOST_SYMBOLS = 2048
_ALL_SYMBOLS = 150_000
"""Of all constellations of a page; it takes 11 bytes for one, received and equalised."""


def report(folders: Sequence[Path]) -> str:
    """The page of one or more runs.

    Raises:
        ScenarioError: A folder holds no run, or nothing was run there yet.
    """
    if not folders:
        raise ScenarioError("RUN must be given at least once, got none")
    stores = [open_run(folder) for folder in folders]
    tables = [run_rows(store) for store in stores]
    most = max(64, min(_MOST_SYMBOLS, _ALL_SYMBOLS // sum(map(len, tables))))
    album = Album()
    runs = [
        run_data(store, table, album, label=label, most=most)
        for store, table, label in zip(stores, tables, labels(stores), strict=True)
    ]
    return page(runs, embed(album.files))


def page(runs: Sequence[RunData], pictures: Mapping[str, Embedded]) -> str:
    """HTML with everything inside: data, pictures, style and scripts.

    A content security policy lets the browser refuse whatever else could be loaded or run: it
    names the page's scripts by their SHA-256 (W3C, Content Security Policy Level 3, section 2.3).
    """
    assets = files("transceiver.html") / "assets"
    theme = (assets / "theme.js").read_text(encoding="utf-8")
    own = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    plotly = get_plotlyjs()
    parts = {
        "title": escape(", ".join(run.label for run in runs)),
        "policy": _policy([theme, plotly, own]),
        "style": (assets / "page.css").read_text(encoding="utf-8"),
        "theme": theme,
        "plotly": plotly,
        "script": own,
        "runs": json_text(plain(list(runs))),
        "pictures": json_text(plain(pictures)),
        "tables": "".join(_section(run) for run in runs),
    }
    template = (assets / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def json_text(value: Any) -> str:
    r"""JSON that no HTML parser takes for the end of a script or for a comment.

    >>> json_text({"a": "</script><!--"})
    '{"a":"\\u003c/script\\u003e\\u003c!--"}'
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _policy(scripts: Sequence[str]) -> str:
    hashes = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{found}'" for found in hashes)
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def _section(run: RunData) -> str:
    return (
        f"<h3>{escape(run.label)}</h3>{results(run)}"
        f"<details><summary>Scenario of {escape(run.label)}</summary>"
        f'<pre tabindex="0">{escape(run.scenario)}</pre></details>'
        f"<details><summary>Versions, seed, weights</summary>{facts(run)}</details>"
    )


def labels(stores: Sequence[Store]) -> list[str]:
    """Names of the scenarios; where two are alike, of the folders, and with numbers if need be."""
    names = [store.scenario.name for store in stores]
    if len(set(names)) < len(names):
        names = [store.folder.resolve().name for store in stores]
    if len(set(names)) < len(names):
        names = [f"{name} ({place})" for place, name in enumerate(names, start=1)]
    return names
