"""Every fenced block of the documents is run, or says why not.

What a block is for follows from its language and title: Python runs, in one program for a page;
a block with a title is a file; ``sh`` holds commands of ours; ``text`` behind them is what they
print, as far as it is shown; ``diff`` changes a copy of the package.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver import cli
from transceiver.scenario.load import parse, read_yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    *(DOCS / f"{name}.md" for name in ("quickstart", "faq", "editor")),
    *sorted((DOCS / "tutorials").glob("*.md")),
]
FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r"```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
REASONS = ("needs ", "installs ")
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@dataclass(frozen=True)
class Fence:
    language: str
    title: str | None
    text: str
    reason: str | None


def fences(page: Path) -> list[Fence]:
    found = FENCE.finditer(page.read_text())
    return [Fence(m["language"], m["title"], m["text"], m["reason"]) for m in found]


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"], ids=str)
def test_every_fence_is_found(page: Path) -> None:
    """The pattern above misses none, and each has a language."""
    marks = [line for line in page.read_text().splitlines() if line.startswith("```")]
    assert len(marks) == 2 * len(fences(page))
    if page in PAGES:
        assert all(fence.language for fence in fences(page))


def test_a_block_that_is_not_run_says_what_it_needs() -> None:
    reasons = [fence.reason for page in PAGES for fence in fences(page) if fence.reason]
    assert len(reasons) > 8
    assert all(reason.startswith(REASONS) for reason in reasons)
    for page in PAGES:  # each comment stands right above its block
        assert page.read_text().count("<!-- not run") == sum(
            fence.reason is not None for fence in fences(page)
        )


@dataclass
class Page:
    """What has happened so far on a page."""

    folder: Path
    call: Callable[[list[str]], str]
    names: dict[str, Any]
    patched: bool = False
    printed: str = ""


@pytest.fixture
def state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Page:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(arguments: list[str]) -> str:
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        assert left.value.code in (0, None), (arguments, err)
        return out

    def read(program: Any, names: dict[str, Any]) -> str:
        exec(program, names)
        return capsys.readouterr().out

    return Page(folder, call, {"__name__": "page", "_read": read})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_runs(page: Path, state: Page) -> None:
    shown: list[tuple[str, str]] = []
    for fence in fences(page):
        if fence.reason is None:
            if fence.language == "text":
                shown.append((fence.text, state.printed))
            else:
                _do(fence, state)
    for expected, printed in shown:
        _compare(expected, printed)


def _do(fence: Fence, state: Page) -> None:
    if fence.language == "diff":
        _patch(fence, state)
        return
    if fence.title is not None:
        path = state.folder / fence.title
        path.write_text((path.read_text() + "\n\n" if path.exists() else "") + fence.text)
    match fence.language:
        case "python" if fence.title is not None:
            compile(fence.text, fence.title, "exec")
        case "python" if state.patched:
            _run_apart(fence.text, state)
        case "python":
            program = compile(fence.text, str(state.folder / "page.py"), "exec")
            state.printed += state.names["_read"](program, state.names)
        case "sh":
            for line in fence.text.replace("\\\n", "").splitlines():
                if arguments := shlex.split(line, comments=True):
                    assert arguments[0] == "transceiver", line
                    state.printed += state.call(arguments)
        case "yaml" if fence.text.startswith(("name:", "# ")):
            if not state.patched:
                parse(read_yaml(fence.text))
        case "yaml":
            assert yaml.safe_load(fence.text)
        case "json":
            json.loads(fence.text)
        case "toml":
            tomllib.loads(fence.text)
        case _:
            raise AssertionError(f"no way to run a block of {fence.language}")


def _patch(fence: Fence, state: Page) -> None:
    """Change a file of a copy of our packages; what is changed must stand there once."""
    copy = state.folder / "copy"
    if not state.patched:
        for package in ("transceiver", "phy"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, copy / package, ignore=ignored)
        state.patched = True
    assert fence.title is not None
    path = copy / fence.title
    text = path.read_text() if path.exists() else ""
    for hunk in fence.text.split("@@\n")[1:]:
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] or "\n" for line in lines if line[0] in " -\n")
        after = "".join(line[1:] or "\n" for line in lines if line[0] in " +\n")
        assert text.count(before) == 1 or not text, (fence.title, before)
        text = text.replace(before, after) if text else after
    path.write_text(text)


def _run_apart(program: str, state: Page) -> None:
    """Run a program with the changed copy in place of our packages."""
    path = os.pathsep.join([str(state.folder / "copy"), str(ROOT / "codecs")])
    where = "\nimport phy, transceiver\nprint(phy.__file__, transceiver.__file__)\n"
    done = subprocess.run(
        [sys.executable, "-c", program + where],
        env={**os.environ, "PYTHONPATH": path},
        cwd=state.folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(str(state.folder)) == 2


def _compare(expected: str, printed: str) -> None:
    """Each line shown was printed, in that order; numbers may differ a little.

    Other versions of torch or of the encoders, and other numbers of threads, change an index here
    and there. ``...`` stands for lines that are left out; so may the end of a line be.
    """
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    place = 0
    for wanted in (" ".join(line.split()) for line in expected.splitlines()):
        if not wanted or wanted == "..." or set(wanted) == {"─"}:
            continue
        while place < len(lines) and not _alike(wanted, lines[place]):
            place += 1
        assert place < len(lines), f"not printed: {wanted}\n{printed}"
        place += 1


def _alike(wanted: str, line: str) -> bool:
    if not NUMBER.sub("#", line).startswith(NUMBER.sub("#", wanted)):
        return False
    pairs = zip(NUMBER.findall(wanted), NUMBER.findall(line), strict=False)
    return all(abs(float(a) - float(b)) <= 0.1 * abs(float(a)) + 0.05 for a, b in pairs)


def test_the_comparison_compares() -> None:
    printed = (
        "codec  CBR\n vq   0.05  22.57 [21.77, 23.37]  0/64 \n bpg  0.05  23.00 [1.0, 2.0]  1/64\n"
    )
    _compare("codec CBR\n vq 0.05 22.6 [21.8, 23.4] 0/64\n", printed)
    _compare("...\nbpg 0.05 23.1 [1.0, 2.0] 1/64\n", printed)
    for wrong in ("vq 0.05 29.57 [21.77, 23.37] 0/64", "vq 0.05 22.57 [21.77, 23.37] 2/64", "jpeg"):
        with pytest.raises(AssertionError, match="not printed"):
            _compare(wrong, printed)


PARAGRAPH = re.compile(r"^(?!\s*$|[-*#|>]|\d+\. |```|<!--|  )", re.MULTILINE)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_lists_have_an_empty_line_before_them(page: Path) -> None:
    """The site's Markdown needs it, a repository page does not."""
    text = FENCE.sub("", page.read_text())
    lines = text.splitlines()
    for before, line in pairwise(lines):
        if re.match(r"[-*] |\d+\. ", line):
            assert not PARAGRAPH.match(before), f"{before}\n{line}"


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as repository pages and the site make them."""
    text = FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [
        re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", h)).lower() for h in headings
    ]
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize(
    "page", [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))], ids=lambda page: page.stem
)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", FENCE.sub("", page.read_text()))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), target
        assert page.parent != DOCS or other.is_relative_to(DOCS), f"not on the site: {target}"
        if anchor:
            assert anchor in _anchors(other), target
