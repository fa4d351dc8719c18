"""The figure ``pictures``: what it shows is what the run received, with the run's numbers."""

import copy
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image as PillowImage
from pydantic import TypeAdapter, ValidationError

from semcodec.image_io import read_image
from semcodec.metrics import psnr
from transceiver.build import build
from transceiver.metrics import Measure, build_metrics
from transceiver.pictures import Pictures, open_pictures
from transceiver.reproduce.evidence import evidence
from transceiver.reproduce.figures import entitled
from transceiver.reproduce.pictures import Shown, draw_pictures, find_picture, received_pictures
from transceiver.reproduce.remake import measured, remake
from transceiver.scenario import ScenarioError, parse
from transceiver.scenario.reproduction import (
    FigureSection,
    Paper,
    PicturesFigure,
    series_of,
)
from transceiver.scenario.reproduction_check import problems
from transceiver.source import Picture
from transceiver.store import Store

FIGURE: TypeAdapter[FigureSection] = TypeAdapter(FigureSection)
SERIES = {"VQ": ["vq"], "Files": ["bpg", "jpeg"]}
Call = Callable[..., tuple[int, str, str]]
Run = Callable[..., Store]


def _figure(**keys: Any) -> PicturesFigure:
    data = {"kind": "pictures", "image": 0, "series": SERIES, "points": [0.5, 2]} | keys
    found = FIGURE.validate_python(data)
    assert isinstance(found, PicturesFigure)
    return found


def _pictures(store: Store) -> Pictures:
    images = store.scenario.images
    assert images is not None
    return open_pictures(images, folder=Path())


def _shown(figure: PicturesFigure, store: Store) -> tuple[list[list[Shown]], Picture]:
    scenario, picture = store.scenario, find_picture(figure, _pictures(store))
    series = series_of(figure, list(scenario.codecs))
    with evidence(store.folder, series=series, values=scenario.sweep.values) as run:
        return received_pictures(figure, scenario, store, run, picture), picture


def _drawn(figure: PicturesFigure, store: Store) -> Figure:
    rows, picture = _shown(figure, store)
    return draw_pictures(figure, picture, rows, quantity=store.scenario.sweep.quantity)


def _remade_is_stored(store: Store) -> tuple[int, int]:
    """Make the first trial of everything again; how many failed, and how many were not sent."""
    scenario, pictures = store.scenario, _pictures(store)
    measure = Measure(build_metrics(scenario.metrics))
    failures = outages = 0
    for codec, sender in build(scenario).items():
        for point in range(len(scenario.sweep.values)):
            kept = store.folder / "images" / f"{codec}-{point:03d}.png"
            for unit in store.units(codec, point):
                if unit.key.trial:
                    continue
                picture = pictures[unit.key.image]
                image = remake(scenario, sender, picture, point=point)
                assert measured(measure, picture, image, unit) == dict(unit.metrics)
                assert min(psnr(picture.pixels, image), 100.0) == unit.metrics["psnr"]
                if unit.key.image == 0:
                    assert torch.equal(image, read_image(kept))
                failures += unit.failure
                outages += unit.outage
    return failures, outages


def test_pictures_made_again_are_those_of_the_run(finished: Store) -> None:
    failures, _ = _remade_is_stored(finished)
    assert failures > 0


def test_with_fading_and_a_memory_of_good_pictures(change: Any, run_in: Run) -> None:
    data = change(**{
        "phy.channel": {"kind": "rayleigh", "fading": {"block": 20}}, "phy.code": {"kind": "none"},
        "sweep.esn0_db": [12], "stop.trials": 3, "failure": "last_good", "metrics": ["psnr"],
        "codecs.bpg.budget.value": 40,
    })  # fmt: skip
    _, outages = _remade_is_stored(run_in(data, batch=5))
    assert outages > 0


def test_with_a_plan_that_follows_the_channel(small: Any, run_in: Run) -> None:
    data = small(**{"codecs.system.plan": {"kind": "jcamp"}})
    assert _remade_is_stored(run_in(data)) == (0, 0)


def test_over_a_binary_channel(change: Any, run_in: Run) -> None:
    data = change(**{
        "phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.09]}, "stop.trials": 1,
    })  # fmt: skip
    store = run_in(data)
    _remade_is_stored(store)
    drawn = _drawn(_figure(points=[0.09]), store)
    assert drawn.get_supxlabel() == "flip probability 0.09"


def test_captions_hold_the_numbers_of_the_run(finished: Store) -> None:
    figure = _figure(image="b-coffee")
    rows, picture = _shown(figure, finished)
    assert (picture.key, picture.name) == (1, "b-coffee")
    for point, row in enumerate(rows):
        (unit,) = (u for u in finished.units("vq", point) if (u.key.image, u.key.trial) == (1, 0))
        assert row[0].title == "VQ"
        assert row[0].caption == [
            f"PSNR {unit.metrics['psnr']:.2f} dB",
            f"SSIM {unit.metrics['ssim']:.3f}",
            f"{unit.counters.source_bits / (50 * 33):.3f} bit/pixel",
            f"CBR {unit.counters.symbols / (3 * 50 * 33):.4f}",
        ]
        assert row[0].image is not None
        assert psnr(picture.pixels, row[0].image) == unit.metrics["psnr"]
        with evidence(finished.folder, series=SERIES, values=[0.5, 2.0]) as run:
            best = run.best("Files", point, "psnr")
        assert best is not None
        assert row[1].title == f"Files ({best.codec})"


def test_lost_and_unsent_pictures_say_so(change: Any, run_in: Run) -> None:
    store = run_in(change(**{
        "sweep.esn0_db": [-5, 20], "stop.trials": 1, "codecs.jpeg.budget":
        {"kind": "bytes", "value": 40},
    }))  # fmt: skip
    figure = _figure(points=[-5, 20], series={"b": ["bpg"], "j": ["jpeg"]})
    (lost, unsent), (good, _) = _shown(figure, store)[0]
    assert lost.caption[0] == "lost"
    assert unsent.caption[0] == "not sent: no budget fits"
    assert not any("CBR" in item for item in unsent.caption)
    assert good.caption[0].startswith("PSNR")
    assert lost.image is not None
    assert lost.image.flatten(1).unique(dim=1).shape == (3, 1)


def test_a_column_for_each_series_and_a_line_for_each_point(finished: Store) -> None:
    figure = _figure(points=[2, 0.5])
    drawn = entitled(_drawn(figure, finished), Paper(title="A paper", figure="Fig. 5"))
    assert drawn.get_suptitle() == "Fig. 5 of A paper"
    axes = drawn.axes
    assert len(axes) == 6
    assert [a.axison for a in axes] == [True, True, True, False, True, True]
    assert [a.get_title() for a in axes[:2]] == ["original", "VQ"]
    assert axes[2].get_title().startswith("Files (")
    assert axes[4].get_title() == ""
    assert [axes[i].get_ylabel() for i in (1, 4)] == ["Es/N0 2 dB", "Es/N0 0.5 dB"]
    assert axes[0].get_xlabel() == "48 × 40\xa0pixels".replace(" ", "\xa0")
    assert axes[0].images[0].get_size() == (40, 48)
    (unit,) = (u for u in finished.units("vq", 0) if (u.key.image, u.key.trial) == (0, 0))
    shown = re.search(r"PSNR\s([\d.]+)\sdB", axes[4].get_xlabel())
    assert shown is not None
    assert shown[1] == f"{unit.metrics['psnr']:.2f}"


def test_a_single_point_is_broken_into_lines(finished: Store) -> None:
    series = {name: ["vq"] for name in "abcde"}
    drawn = _drawn(_figure(points=[2], series=series), finished)
    assert [a.get_title() for a in drawn.axes] == ["original", *"abcde"]
    assert drawn.axes[0].get_gridspec().get_geometry() == (2, 3)
    assert drawn.get_supxlabel() == "Es/N0 2 dB"


@pytest.mark.parametrize("points", [[2.0], [0.5, 2.0]])
def test_a_crop_is_framed_in_the_original(finished: Store, points: list[float]) -> None:
    crop = {"top": 4, "left": 8, "height": 12, "width": 20}
    drawn = _drawn(_figure(points=points, crop=crop, series={"VQ": ["vq"]}), finished)
    sizes = {a.get_title(): a.images[0].get_size() for a in drawn.axes if a.get_title()}
    assert sizes == {"original": (40, 48), "original, part": (12, 20), "VQ": (12, 20)}
    (frame,) = drawn.axes[0].patches
    assert isinstance(frame, Rectangle)
    assert (frame.get_x(), frame.get_y()) == (7.5, 3.5)
    part = next(a for a in drawn.axes if a.get_title() == "original, part").images[0].get_array()
    assert part is not None
    whole = _pictures(finished)[0].pixels[:, 4:16, 8:28].movedim(0, -1).numpy()
    assert (part == whole).all()


def test_units_that_were_not_run(finished: Store, tmp_path: Path) -> None:
    folder = _copied(finished, tmp_path, "DELETE FROM unit WHERE codec = 'vq' AND point = 1")
    rows, _ = _shown(_figure(series={"VQ": ["vq"]}), Store(folder, sqlite3.connect(folder / NAME)))
    assert [row[0].caption == ["not run yet"] for row in rows] == [False, True]
    assert rows[1][0].image is None


def test_a_run_of_other_weights_is_refused(finished: Store, tmp_path: Path) -> None:
    folder = _copied(finished, tmp_path, "UPDATE metric SET value = 3 WHERE name = 'psnr'")
    with (
        closing(sqlite3.connect(folder / NAME)) as database,
        pytest.raises(ScenarioError, match="figure: vq at point 0 must be the picture of the run"),
    ):
        _shown(_figure(), Store(folder, database))


NAME = "run.sqlite"


def _copied(store: Store, folder: Path, statement: str) -> Path:
    with closing(sqlite3.connect(store.folder / NAME)) as source:
        source.execute("VACUUM INTO ?", (str(folder / NAME),))
    with closing(sqlite3.connect(folder / NAME)) as database, database:
        database.execute(statement)
    return folder


def test_pictures_are_found_by_name_and_number(finished: Store) -> None:
    pictures = _pictures(finished)
    assert find_picture(_figure(image="c-grey"), pictures).key == 2
    assert find_picture(_figure(image=1), pictures).name == "b-coffee"
    with pytest.raises(ScenarioError, match="must be one of a-face, b-coffee, c-grey, got d"):
        find_picture(_figure(image="d"), pictures)
    with pytest.raises(ScenarioError, match="must be from 0 to 2, got 3"):
        find_picture(_figure(image=3), pictures)
    crop = {"top": 30, "left": 0, "height": 11, "width": 5}
    rule = "must lie in the picture of 48 x 40 pixels, got rows 30 to 40 and columns 0 to 4"
    with pytest.raises(ScenarioError, match=rule):
        find_picture(_figure(crop=crop), pictures)


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"image": -1}, "image"),
        ({"image": 0.5}, "image"),
        ({"points": []}, "points"),
        ({"series": {}}, "series"),
        ({"crop": {"top": 0, "left": 0, "height": 0, "width": 3}}, "height"),
        ({"metric": "psnr"}, "metric"),
    ],
)
def test_refused_sections(keys: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _figure(**keys)
    assert key in refused.value.errors()[0]["loc"]


def test_what_the_scenario_lacks(change: Any, bits: Any) -> None:
    scenario = parse(change())
    assert list(problems(scenario, _figure(), [])) == []
    assert list(problems(scenario, _figure(points=[1], series={"A": ["x"]}), [])) == [
        "figure.series.A must be one of vq, bpg, jpeg, got x",
        "figure.points must be a point of the sweep (0.5, 2), got 1",
    ]
    bare = parse(change(metrics=[]))
    assert list(problems(bare, _figure(), [])) == [
        "figure.series: the best of several codecs needs a metric, got none"
    ]
    figure = _figure(series={"A": ["bits"]})
    assert list(problems(parse(bits()), figure, [])) == [
        "figure: pictures needs images, got codecs of kind bits"
    ]


SAMPLES: dict[str, Any] = {
    "name": "strip",
    "seed": 1,
    "images": {"kind": "samples", "names": ["chelsea"], "limit": 1},
    "codecs": {
        "vq": {"kind": "vq", "weights": "vqvae-f8-k1024"},
        "bpg": {"kind": "bpg", "budget": {"kind": "symbols_of", "codec": "vq"}},
    },
    "phy": {
        "code": {"kind": "ieee80211n", "n": 648, "rate": "1/2"},
        "modulation": {"kind": "qam", "order": 16},
        "channel": {"kind": "awgn"},
    },
    "sweep": {"esn0_db": [6, 9]},
    "stop": {"trials": 1},
    "metrics": ["psnr", "ms_ssim"],
    "paper": {"title": "A paper", "figure": "Fig. 5"},
    "figure": {
        "kind": "pictures", "image": "chelsea", "series": {"VQ": ["vq"], "BPG": ["bpg"]},
        "points": [6, 9],
    },
    "claims": [
        {"kind": "trend", "text": "PSNR rises", "codec": "bpg", "column": "psnr",
         "direction": "rises"},
    ],
}  # fmt: skip


def test_the_command(call: Call, tmp_path: Path) -> None:
    file, folder = tmp_path / "s.yaml", tmp_path / "run"
    file.write_text(yaml.safe_dump(copy.deepcopy(SAMPLES), sort_keys=False))
    wrong = call("reproduce", file, "--out", folder, "--set", "figure.image=tabby")
    assert wrong == (2, "", "error: figure.image: must be one of chelsea, got tabby\n")
    assert not folder.exists()
    code, out, err = call("reproduce", file, "--out", folder, "--threads", 1)
    assert (code, err) == (0, "")
    assert "PSNR rises" in out
    png, drawing = (folder / "figures" / f"reproduction.{kind}" for kind in ("png", "svg"))
    assert out.splitlines()[-2:] == [str(png), str(drawing)]
    assert 100_000 < png.stat().st_size < 600_000
    with PillowImage.open(png) as picture:
        width, height = picture.size
    assert width > height > 300
    before = png.read_bytes()
    assert call("reproduce", file, "--out", folder, "--no-run") == (0, out, "")
    assert png.read_bytes() == before
    bare = call("reproduce", file, "--out", folder, "--no-run", "--set", "claims=[]",
                "--set", "figure.points=[9]", "--set", "paper=null")  # fmt: skip
    assert bare[0] == 0
    assert "PSNR rises" not in bare[1]
    assert png.read_bytes() != before
