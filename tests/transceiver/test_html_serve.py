"""The server of reports: this machine alone, these runs alone."""

import shutil
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from transceiver.html import serve
from transceiver.html.serve import ReportServer, runs_in
from transceiver.store import Store


@pytest.fixture(scope="module")
def folder(finished: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(finished.folder, home / "runs" / "first")
    shutil.copytree(finished.folder, home / "runs" / "a & <b>")
    shutil.copytree(finished.folder, home / "secret")
    (home / "runs" / "link").symlink_to(home / "secret")
    (home / "runs" / "no-run").mkdir()
    (home / "runs" / "notes.txt").write_text("private")
    broken = home / "runs" / "broken"
    broken.mkdir()
    (broken / "run.sqlite").write_bytes(b"no database, but of a certain length")
    return home / "runs"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ReportServer]:
    with ReportServer(folder, 0) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def ask(
    server: ReportServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_only_the_loopback_address_is_listened_on(server: ReportServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.server_port > 0


def test_the_list_has_the_runs_and_nothing_else(server: ReportServer, folder: Path) -> None:
    assert list(runs_in(folder)) == ["a & <b>", "broken", "first"]
    status, text = ask(server, "/")
    assert status == 200
    assert 'href="/run/first"' in text
    assert 'href="/run/a%20%26%20%3Cb%3E">a &amp; &lt;b&gt;</a>' in text
    for absent in ("secret", "/run/link", "no-run", "notes", "<b>"):
        assert absent not in text


def test_a_run_is_shown_and_kept(
    server: ReportServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[Path]] = []

    def report(folders: list[Path]) -> str:
        made.append(folders)
        return f"page {len(made)}"

    monkeypatch.setattr(serve, "report", report)
    assert ask(server, "/run/first") == (200, "page 1")
    assert ask(server, "/run/first") == (200, "page 1")
    file = folder / "first" / "run.sqlite"
    file.touch()
    assert ask(server, "/run/first") == (200, "page 2")
    assert ask(server, "/compare?run=first&run=a%20%26%20%3Cb%3E") == (200, "page 3")
    assert made[-1] == [folder.resolve() / "first", folder.resolve() / "a & <b>"]


def test_the_page_is_that_of_the_report(server: ReportServer) -> None:
    status, text = ask(server, "/run/first")
    assert status == 200
    assert "<title>tiny</title>" in text
    status, body = ask(server, "/run/first", method="HEAD")
    assert (status, body) == (200, "")


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/run/..",
        "/run/../secret",
        "/run/..%2fsecret",
        "/run/%2e%2e/secret",
        "/run/%2e%2e%2fsecret",
        "/run/first/../../secret",
        "/run/first%00",
        "/run/.",
        "/run/",
        "/run/link",
        "/run/no-run",
        "/run/notes.txt",
        "/run/first/run.sqlite",
        "/run//etc/passwd",
        "/notes.txt",
        "/compare",
        "/compare?run=..",
        "/compare?run=first&run=../secret",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
    ],
)
def test_what_lies_outside_is_not_found(server: ReportServer, path: str) -> None:
    status, text = ask(server, path)
    assert status == 404
    assert "there is no such run" in text


def test_a_broken_run_says_so(server: ReportServer) -> None:
    status, text = ask(server, "/run/broken")
    assert status == 500
    assert "must be the database of a run" in text


def test_other_methods_and_other_hosts_are_refused(server: ReportServer) -> None:
    assert ask(server, "/", method="POST")[0] == 501
    assert ask(server, "/", method="DELETE")[0] == 501
    assert ask(server, "/", host="evil.example:80")[0] == 403
    assert ask(server, "/run/first", host=f"127.0.0.1.evil:{server.server_port}")[0] == 403
    assert ask(server, "/", host=f"localhost:{server.server_port}")[0] == 200


def test_an_empty_folder(tmp_path: Path) -> None:
    with ReportServer(tmp_path, 0) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        status, text = ask(server, "/")
        thread.join()
    assert status == 200
    assert "no run in this folder yet" in text
