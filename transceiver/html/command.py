"""What ``transceiver report`` and ``transceiver serve`` do, once their arguments are read."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from transceiver.commands import user_errors
from transceiver.files import write_whole
from transceiver.html.page import report
from transceiver.html.serve import ReportServer
from transceiver.scenario import ScenarioError

FILE = "report.html"


def report_command(out: Console, folders: Sequence[Path], output: Path | None) -> None:
    """Write the page of one or more runs; into the run's folder where there is only one."""
    path = output or (folders[0] / FILE if len(folders) == 1 else Path(FILE))
    with user_errors():
        text = report(folders)
    if not path.absolute().parent.is_dir():
        raise ScenarioError(f"--output: its folder must exist, got {path}")
    if path.is_dir():
        raise ScenarioError(f"--output: must be a file to write, got {path}: it is a folder")
    write_whole(path, text.encode())
    size = path.stat().st_size / 1e6
    out.print(f"{path}: {size:.1f} MB", highlight=False, soft_wrap=True)


def serve_command(out: Console, folder: Path, port: int) -> None:
    """Serve the reports of the runs in a folder to this machine alone, until interrupted."""
    if not folder.is_dir():
        raise ScenarioError(f"RUNS: must be a folder, got {folder}")
    try:
        found = ReportServer(folder, port)
    except OSError as error:
        raise ScenarioError(f"--port: must be free, got {port}: {error}") from None
    with found:
        address = f"http://127.0.0.1:{found.server_port}/"
        out.print(f"{address}  (Ctrl-C ends it)", highlight=False, soft_wrap=True)
        try:
            found.serve_forever()
        except KeyboardInterrupt:
            out.print("ended", highlight=False)
