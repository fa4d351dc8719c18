"""Reports over HTTP, to this machine alone.

What can be asked for is the list of runs and a page for each name in it. A name is looked up in
that list and never made into a path, so nothing outside the folder can be reached.
"""

import threading
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from sqlite3 import DatabaseError
from urllib.parse import parse_qs, quote, unquote, urlsplit

from transceiver.html.page import report
from transceiver.scenario import ScenarioError

HOST = "127.0.0.1"
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; base-uri 'none'"
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    ":root{color-scheme:light dark}li{margin:.4rem 0}input[type=checkbox]{margin-right:.6rem}"
)


def runs_in(folder: Path) -> dict[str, Path]:
    """The runs that lie in a folder, by name; links that lead elsewhere are left out."""
    home = folder.resolve()
    return {
        path.name: path
        for path in sorted(home.iterdir())
        if path.resolve().parent == home and (path / "run.sqlite").is_file()
    }


class ReportServer(ThreadingHTTPServer):
    """Makes a page when it is asked for, and keeps it until its runs change."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        """Listen on the loopback address; port 0 takes any that is free."""
        self.folder = folder
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, ...], tuple[list[int], bytes]] = {}
        super().__init__((HOST, port), _Handler)

    def page(self, names: list[str]) -> bytes | None:
        """The page of some runs; None where one of them is not in the folder."""
        runs = runs_in(self.folder)
        if not names or any(name not in runs for name in names):
            return None
        chosen = [runs[name] for name in names]
        with self._lock:  # one page at a time is made
            state = [(path / "run.sqlite").stat().st_mtime_ns for path in chosen]
            before = self._kept.get(tuple(names))
            if before is None or before[0] != state:
                self._kept = {tuple(names): (state, report(chosen).encode())}
            return self._kept[tuple(names)][1]


class _Handler(BaseHTTPRequestHandler):
    """``/``, ``/run/NAME`` and ``/compare?run=NAME&run=NAME``; everything else is not found."""

    server: ReportServer

    def do_GET(self) -> None:
        """Answer with a page."""
        if not self._own_host():
            self._send(HTTPStatus.FORBIDDEN, _message("only for this machine"))
            return
        url = urlsplit(self.path)
        if url.path == "/":
            self._send(HTTPStatus.OK, _list(runs_in(self.server.folder)))
            return
        names: list[str] = []
        if url.path == "/compare":
            names = parse_qs(url.query).get("run", [])
        elif url.path.startswith("/run/"):
            names = [unquote(url.path.removeprefix("/run/"))]
        try:
            found = self.server.page(names)
        except (ScenarioError, DatabaseError, OSError) as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, _message(str(error)))
            return
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, _message("there is no such run"))
        else:
            self._send(HTTPStatus.OK, found, policy="")  # the page brings its own

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Stay silent."""

    def _own_host(self) -> bool:
        """A page of another site may have its name resolved to this address: that is refused."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        return host in (HOST, "localhost")

    def _send(self, status: HTTPStatus, body: bytes, *, policy: str = _POLICY) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _list(runs: dict[str, Path]) -> bytes:
    lines = "".join(
        f'<li><input type="checkbox" name="run" value="{escape(name)}" '
        f'aria-label="compare {escape(name)}">'
        f'<a href="/run/{quote(name, safe="")}">{escape(name)}</a></li>'
        for name in runs
    )
    body = f'<form action="/compare"><ul>{lines}</ul><button>Compare the chosen</button></form>'
    return _html("Runs", body if runs else "<p>There is no run in this folder yet.</p>")


def _message(text: str) -> bytes:
    return _html("Not shown", f'<p>{escape(text)}</p><p><a href="/">All runs</a></p>')


def _html(title: str, body: str) -> bytes:
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{body}</html>"
    ).encode()
