"""The report in a real browser: headless Chromium of the system, driven by Playwright.

Skipped without one of `chromium`, `chromium-browser` and `google-chrome` on the PATH.
`REPORT_SHOTS=FOLDER` keeps pictures of what was tested.
"""

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from transceiver.html.page import report
from transceiver.html.serve import ReportServer
from transceiver.results import rows
from transceiver.store import Store

api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for found in map(shutil.which, _NAMES) if found), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}


@dataclass
class Opened:
    """A page, what its console complained of, and what it asked the network for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.asked.append(request.url)

    def ready(self) -> None:
        self.page.wait_for_selector("html[data-ready=yes]", state="attached")

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def shown(self, name: str) -> None:
        if folder := os.environ.get("REPORT_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        root = ["--no-sandbox"] if os.getuid() == 0 else []
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=root)
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(sampled: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report([sampled.folder]), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open a page; at the end nothing was complained of, or asked for but the page itself."""
    pages: list[tuple[Opened, str]] = []

    def go(address: str, **how: Any) -> Opened:
        context = browser.new_context(**({"viewport": DESK} | how))
        found = Opened(context.new_page())
        pages.append((found, address))
        found.page.goto(address)
        if address.endswith(".html"):
            found.ready()
        return found

    yield go
    for found, address in pages:
        found.shown(request.node.name)
        assert found.complaints == []
        assert all(asked.startswith(address) for asked in found.asked), found.asked
        found.page.context.close()


def _choose(found: Opened, codec: str, point: int) -> None:
    found.page.select_option("#codec", codec)
    found.page.locator("#point").fill(str(point))


def _fitting(found: Opened) -> None:
    """Every chart is as wide as its box."""
    found.page.wait_for_timeout(300)
    widths = found.page.evaluate(
        """() => [...document.querySelectorAll(".js-plotly-plot")].filter(c => c.clientWidth)
             .map(c => [c.clientWidth, c.querySelector("svg.main-svg").clientWidth])"""
    )
    assert len(widths) >= 6
    assert [drawn for _, drawn in widths] == [box for box, _ in widths]


def test_curves_and_their_numbers(opened: Any, file: Path, sampled: Store) -> None:
    found = opened(file.as_uri())
    charts = found.page.locator("#metric-charts .chart")
    assert charts.count() == 2
    drawn = charts.first.evaluate("c => c.data.map(t => [t.name, t.x, t.y])")
    table = [row for row in rows(sampled) if row.codec == "vq"]
    (vq,) = [trace for trace in drawn if trace[0] == "vq"]
    assert vq[1] == [row.value for row in table]
    assert vq[2] == pytest.approx([row.metrics["psnr"].value for row in table])
    found.page.locator("#series input").nth(0).uncheck()
    names = charts.first.evaluate("c => c.data.filter(t => t.x.length).map(t => t.name)")
    assert "vq" not in names
    assert "jpeg" in names
    rates = found.page.locator("#error-chart").evaluate("c => c.data.map(t => t.name)")
    assert "uncoded, theory (qam-4)" in rates or any(r.startswith("uncoded, theory") for r in rates)
    assert "capacity of the channel" in found.page.locator("#rate-chart").evaluate(
        "c => c.data.map(t => t.name)"
    )


def test_the_signal_of_a_point(opened: Any, file: Path) -> None:
    found = opened(file.as_uri())
    _choose(found, "vq", 0)
    low = found.page.locator("[data-signal=equalized]").evaluate("c => c.data[0].x.length")
    assert low > 100
    first = found.page.locator("[data-signal=equalized]").evaluate("c => c.data[0].x")
    assert found.page.locator("[data-signal=llrs]").is_visible()
    assert "Es/N0 0.5 dB" in found.text("#point-value")
    found.page.locator("#point").press("ArrowRight")  # by keyboard
    assert "Es/N0 2 dB" in found.text("#point-value")
    assert found.page.locator("[data-signal=equalized]").evaluate("c => c.data[0].x") != first
    assert found.page.locator("#map-sent").is_visible()
    assert found.page.locator("#map-sent").evaluate("c => c.width * c.height") > 1
    found.page.locator("#signal").scroll_into_view_if_needed()
    _fitting(found)


def test_pictures_under_the_slider(opened: Any, file: Path) -> None:
    found = opened(file.as_uri())
    _choose(found, "vq", 1)
    found.page.locator("#pictures-part").scroll_into_view_if_needed()
    assert found.page.locator("#right").input_value() == "vq"
    for name in ("left-image", "right-image"):
        assert found.page.locator(f"#{name}").evaluate("i => i.complete && i.naturalWidth > 0")
    clip = "i => getComputedStyle(i).clipPath"
    assert "50%" in found.page.locator("#right-image").evaluate(clip)
    found.page.locator("#split").fill("20")
    assert "20%" in found.page.locator("#right-image").evaluate(clip)
    handle, stage = (found.page.locator(s).bounding_box() for s in ("#divider", "#stage"))
    found.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    found.page.mouse.down()
    found.page.mouse.move(stage["x"] + 0.75 * stage["width"], handle["y"] + 5)
    found.page.mouse.up()
    assert float(found.page.locator("#split").input_value()) == pytest.approx(75, abs=2)
    found.page.locator("#viewport").focus()
    widths, zooms = [], []
    for key in "++++---":  # 48 pixels, which fit 320 wide: 8 times is 384
        found.page.keyboard.press(key)
        widths.append(found.page.locator("#stage").bounding_box()["width"])
        zooms.append(found.page.locator("#zoom").input_value())
    assert zooms == ["8", "8", "8", "8", "0", "4", "2"]
    assert widths == [384, 384, 384, 384, 320, 192, 96]
    found.page.locator("#gallery button").first.click()
    assert found.page.locator("#gallery button[aria-pressed=true]").count() == 1


def test_stages_of_the_chain(opened: Any, file: Path) -> None:
    found = opened(file.as_uri())
    _choose(found, "vq", 1)
    found.page.locator("[data-tap=llrs]").click()
    assert found.text("#tap h3").startswith("llrs – vq, Es/N0 2 dB")
    assert "float32" in found.text("#tap")
    assert found.page.locator("#tap pre").count() == 1
    found.page.locator("[data-tap=indices]").focus()
    found.page.keyboard.press("Enter")
    assert found.text("#tap h3").startswith("indices – ")
    assert found.page.locator("[data-tap=indices]").get_attribute("aria-pressed") == "true"
    found.page.locator("#chain").scroll_into_view_if_needed()


def test_light_and_dark(opened: Any, file: Path) -> None:
    found = opened(file.as_uri(), color_scheme="dark")
    ground = "() => getComputedStyle(document.body).backgroundColor"

    def brightness() -> int:
        return sum(map(int, found.page.evaluate(ground)[4:-1].split(",")[:3]))

    dark = brightness()
    assert dark < 200
    found.page.locator("#theme").click()
    assert brightness() > 600
    ink = found.page.locator("#error-chart").evaluate("c => c.layout.font.color")
    found.page.locator("#theme").click()
    assert brightness() == dark
    assert found.page.locator("#error-chart").evaluate("c => c.layout.font.color") != ink


def test_a_phone(opened: Any, file: Path) -> None:
    found = opened(file.as_uri(), viewport=PHONE, has_touch=True, is_mobile=True)
    width = found.page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    for part in ("#metric-charts", "#error-chart", "#viewport", "#diagram svg"):
        box = found.page.locator(part).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"] + 1, part
    _fitting(found)
    found.page.locator("[data-tap=symbols]").tap()
    assert found.text("#tap h3").startswith("symbols")


def test_every_control_is_reached_by_the_keyboard_and_named(opened: Any, file: Path) -> None:
    found = opened(file.as_uri())
    nameless = found.page.evaluate(
        """() => [...document.querySelectorAll("main select, main input, main button")]
             .filter(one => one.offsetParent && !one.closest(".js-plotly-plot")
               && !(one.labels && one.labels.length) && !one.ariaLabel && !one.textContent.trim()
               && !one.title).map(one => one.outerHTML)"""
    )
    assert nameless == []
    reached = set()
    for _ in range(400):  # the buttons of every chart among them
        found.page.keyboard.press("Tab")
        name = "() => document.activeElement.id || document.activeElement.dataset.tap"
        reached.add(found.page.evaluate(name))
    assert {"theme", "axis", "codec", "point", "left", "right", "zoom", "split"} <= reached
    assert {"viewport", "gallery", "image", "llrs", "image_hat"} <= reached


def test_two_runs_beside_each_other(
    opened: Any, sampled: Store, finished: Store, tmp_path: Path
) -> None:
    path = tmp_path / "both.html"
    path.write_text(report([sampled.folder, finished.folder]), encoding="utf-8")
    found = opened(path.as_uri())
    names = found.page.locator("#metric-charts .chart").first.evaluate(
        "c => c.data.map(t => t.name)"
    )
    assert sum(name.endswith(": vq") for name in names) == 2
    assert found.page.locator("#run").is_visible()
    found.page.select_option("#run", "1")
    assert "not kept" in found.text("#tap")


def test_served_runs_open(opened: Any, sampled: Store) -> None:
    folder = sampled.folder
    with ReportServer(folder.parent, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            found = opened(f"http://127.0.0.1:{server.server_port}/")
            found.page.get_by_role("link", name=folder.name).first.click()
            found.ready()
            assert found.page.locator("#metric-charts .chart").count() == 2
        finally:
            server.shutdown()
            thread.join()
