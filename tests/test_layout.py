"""The shape of the project: what must not be there, what must stay small, what must be light."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image as PillowImage

from transceiver import catalog
from transceiver.build import build
from transceiver.check import check
from transceiver.scenario import load

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("transceiver", "phy", "codecs", "tests", "tools", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def test_codecs_is_no_package() -> None:
    """With codecs/__init__.py the standard library's module of that name would be hidden."""
    assert not (ROOT / "codecs" / "__init__.py").exists()
    assert (ROOT / "codecs" / "semcodec" / "__init__.py").is_file()


def test_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_module_is_called_like_one_of_the_standard_library() -> None:
    packages = [p for p in SOURCES if p.parts[len(ROOT.parts)] in ("transceiver", "phy")]
    packages += [p for p in SOURCES if "semcodec" in p.parts and "tests" not in p.parts]
    names = {p.stem for p in packages} - {"__init__"}
    assert names & {"codecs", "types", "random", "queue", "statistics", "signal", "io"} == set()


def test_every_file_is_under_400_lines() -> None:
    assert len(SOURCES) > 80
    lengths = {p.relative_to(ROOT): len(p.read_text().splitlines()) for p in SOURCES}
    assert {path: n for path, n in lengths.items() if n > 400} == {}


def test_packages_are_typed() -> None:
    for package in ("transceiver", "phy", "codecs/semcodec"):
        assert (ROOT / package / "py.typed").is_file(), package


@pytest.mark.parametrize("module", ["transceiver.scenario", "transceiver.cli", "transceiver.check"])
def test_scenario_and_command_line_do_not_import_torch(module: str) -> None:
    heavy = "{'torch', 'numpy', 'scipy', 'matplotlib', 'av'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCENARIOS = catalog.scenarios()


def test_scenarios_are_found() -> None:
    assert "quickstart" in SCENARIOS
    assert sorted((ROOT / "scenarios").rglob("*.yaml")) == sorted(SCENARIOS.values())


@pytest.mark.parametrize("name", SCENARIOS)
def test_shipped_scenario_validates_and_builds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it names pictures or weights that are not shipped, stand-ins take their place."""
    path = SCENARIOS[name]
    assignments = []
    images = yaml.safe_load(path.read_text()).get("images", {})
    if images.get("kind") == "folder":
        PillowImage.new("RGB", (200, 200)).save(tmp_path / "picture.png")
        assignments = [f"images.path={tmp_path}"]
    elif images.get("kind") == "cifar10":
        (tmp_path / "test_batch.bin").write_bytes(bytes(3073))
        assignments = [f"images.path={tmp_path}"]
    for net in ("alex", "squeeze"):
        (tmp_path / f"lpips_{net}_v0.1.npz").touch()
    monkeypatch.setenv("SEMANTIC_TRANSCEIVER_WEIGHTS", str(tmp_path))
    scenario = load(path, assignments)
    check(scenario, folder=path.parent)
    assert list(build(scenario)) == list(scenario.codecs)
