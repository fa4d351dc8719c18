"""Training recipes: every shipped one loads, and mistakes get their line."""

from pathlib import Path

import pytest
import yaml
from PIL import Image

import transceiver
from transceiver.recipe import load_recipe, train_recipe
from transceiver.scenario import ScenarioError

FOLDER = Path(transceiver.__file__).parents[1] / "recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
PHOTOGRAPHS = [*RECIPES, *sorted(FOLDER.glob("photo/*.yaml"))]
"""Those of models for photographs."""


@pytest.mark.parametrize("path", PHOTOGRAPHS, ids=lambda path: path.stem)
def test_shipped_recipe_loads(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.steps >= 1000
    assert 0 < recipe.learning_rate < 0.1
    assert load_recipe(path, ["steps=7", "data.root=/x"]).steps == 7


def test_there_is_a_recipe() -> None:
    assert RECIPES
    assert len(PHOTOGRAPHS) >= 10


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("model.codebook_size=1000", "model: codebook_size must be a power of two, got 1000"),
        ("model.kind=vqgan", "model.kind: must be one of vqvae, system32, vq_deepsc, unet_jscc, "),
        ("learning_rate=0", "learning_rate: must be greater than 0, got 0"),
        ("data.crop=97", "data.crop: must be a multiple of 8, got 97"),
        ("data.train=[]", "data.train: must have at least 1 item"),
        ("epochs=3", "epochs: is not a key of this section"),
        ("steps=[", "--set steps must be given a YAML value: "),
    ],
)
def test_mistakes(assignment: str, line: str) -> None:
    with pytest.raises(ScenarioError) as error:
        load_recipe(RECIPES[0], [assignment])
    assert str(error.value).startswith(f"{RECIPES[0].name}: {line}")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    with pytest.raises(ScenarioError, match=r"r\.yaml: no such file"):
        load_recipe(path)
    path.write_bytes(b"\xff\xff")
    with pytest.raises(ScenarioError, match=r"r\.yaml: cannot be read as text"):
        load_recipe(path)
    path.write_text(yaml.safe_dump({"name": "x"}))
    with pytest.raises(ScenarioError, match=r"r\.yaml: seed: is required"):
        load_recipe(path)


def test_photographs_must_be_there(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES[0], [f"data.root={tmp_path}"])
    with pytest.raises(ScenarioError, match=r"^data: ") as error:
        train_recipe(recipe, folder=tmp_path / "t", report=lambda *_: None)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("assignments", "line"),
    [
        (["loss={lpips: 0.1}"], r"loss.lpips: LPIPS weights must lie in .*, got no lpips_alex"),
        (["loss={l1: 1.0}", "model.guidance=0.1"], r"model.guidance: VGG19 weights must lie in .*"),
    ],
)
def test_weights_that_a_loss_asks_for_must_be_there(
    assignments: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("SEMANTIC_TRANSCEIVER_WEIGHTS", raising=False)
    for split in ("a", "b"):
        (tmp_path / split).mkdir()
        picture = Image.new("RGB", (256, 256), (200, 100, 50))
        picture.save(tmp_path / split / "one.png")
    data = [f"data.root={tmp_path}", "data.train=[a]", "data.validation=[b]"]
    recipe = load_recipe(FOLDER / "photo" / "moc-rvq-stage1.yaml", [*data, *assignments])
    with pytest.raises(ScenarioError, match=line) as error:
        train_recipe(recipe, folder=tmp_path / "t", report=lambda *_: None)
    assert len(str(error.value).splitlines()) == 1
