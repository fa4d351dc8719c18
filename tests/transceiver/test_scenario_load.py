"""Loading a scenario: what is accepted, and the line that each mistake gets."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver.scenario import Scenario, ScenarioError, load, parse
from transceiver.scenario.load import override, read_yaml


def test_number_is_a_number_or_a_fraction(change: Any) -> None:
    scenario = parse(
        change(
            **{"codecs.bpg.budget": {"kind": "cbr", "value": "1/24"}, "sweep.esn0_db": [1, "7/2"]}
        )
    )
    assert scenario.codecs["bpg"].budget.value == 1 / 24
    assert scenario.sweep.values == [1.0, 3.5]


def test_steps_include_both_ends(change: Any) -> None:
    steps = {"start": -1, "stop": 0.2, "step": 0.1}
    values = parse(change(sweep={"ebn0_db": steps})).sweep.values
    assert values == [round(-1 + i / 10, 9) for i in range(13)]


def test_codec_replaces_phy_keys_one_by_one(change: Any) -> None:
    own = {"modulation": {"kind": "psk", "order": 8}, "crc": "crc8"}
    scenario = parse(change(**{"codecs.bpg.phy": own}))
    assert scenario.phy_of("bpg").modulation.kind == "psk"
    assert scenario.phy_of("bpg").crc == "crc8"
    assert scenario.phy_of("bpg").code == scenario.phy.code
    assert scenario.phy_of("vq") == scenario.phy
    assert scenario.phy_of("vq").crc == "crc24a"


def test_scenario_survives_json(change: Any) -> None:
    own = {"channel": {"kind": "rician", "fading": {"block": 7}, "k_factor": "1/3"}}
    scenario = parse(
        change(
            **{
                "codecs.bpg.phy": own,
                "sweep.esn0_db": {"start": 0, "stop": 1, "step": "1/3"},
                "metrics": ["psnr", {"kind": "lpips", "net": "squeeze"}],
            }
        )
    )
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    assert parse(yaml.safe_load(scenario.model_dump_json())) == scenario


ERRORS = [
    ({"name": "a b"}, "name: must match pattern '^[A-Za-z0-9][A-Za-z0-9._-]*$', got 'a b'"),
    ({"seed": -1}, "seed: must be greater than or equal to 0, got -1"),
    ({"seed": "1"}, "seed: must be a valid integer, got '1'"),
    ({"colour": 1}, "colour: is not a key of this section"),
    ({"phy.colour": 1}, "phy.colour: is not a key of this section"),
    ({"codecs.vq.colour": 1}, "codecs.vq.colour: is not a key of this section"),
    ({"phy.code.rate": "7/8"}, "phy.code.rate: must be '1/2', '2/3', '3/4' or '5/6', got '7/8'"),
    ({"phy.code.kind": "ldpc"}, "phy.code.kind: must be one of"),
    ({"phy.code.kind": ...}, "phy.code.kind: is required"),
    ({"phy.modulation.order": 32}, "phy.modulation.order: must be 4, 16,"),
    ({"phy.channel": ...}, "phy.channel: is required"),
    ({"phy": ...}, "phy: is required"),
    ({"images": ...}, "images is required where a codec sends images"),
    ({"codecs": {}}, "codecs: must have at least 1 item"),
    ({"codecs.vq.weights": ...}, "codecs.vq.weights: is required"),
    ({"codecs.jpeg.chroma": 444}, "codecs.jpeg.chroma: must be '444' or '420', got 444"),
    (
        {"codecs.jpeg.budget.codec": "bpg"},
        "codecs.jpeg.budget.codec must be a codec with weights (vq), got bpg",
    ),
    (
        {"codecs.bpg.budget": {"kind": "quality", "value": 52}},
        "codecs.bpg: budget.value must be a QP, 0 to 51, for bpg, got 52",
    ),
    (
        {"codecs.jpeg.budget": {"kind": "quality", "value": 0}},
        "codecs.jpeg: budget.value must be 1 to 100 for jpeg, got 0",
    ),
    (
        {"codecs.bpg.budget": {"kind": "cbr", "value": "1/0"}},
        "codecs.bpg.budget.value: must be a valid number, got '1/0'",
    ),
    (
        {"codecs.../x": {"kind": "vq", "weights": "w"}},
        "codecs: a name must begin with a letter or digit",
    ),
    ({"sweep.ebn0_db": [1]}, "sweep: sweep must name exactly one of"),
    (
        {"sweep": {}},
        "sweep: sweep must name exactly one of esn0_db, ebn0_db, normalized_snr_db, "
        "flip_probability, got none",
    ),
    ({"sweep.esn0_db": []}, "sweep.esn0_db: must have at least 1 item"),
    ({"sweep.esn0_db": ["a"]}, "sweep.esn0_db.0: must be a valid number, got 'a'"),
    ({"sweep.esn0_db": [math.inf]}, "sweep.esn0_db.0: must be a finite number, got inf"),
    ({"sweep.esn0_db": [math.nan]}, "sweep.esn0_db.0: must be a finite number, got nan"),
    ({"sweep.esn0_db": ["1e400"]}, "sweep.esn0_db.0: must be a valid number, got '1e400'"),
    ({"sweep.esn0_db": [101]}, "sweep: esn0_db must be from -100 to 100, got [101.0]"),
    (
        {"sweep.esn0_db": {"start": 1, "stop": 0, "step": 1}},
        "sweep.esn0_db: stop must be at least start 1, got 0",
    ),
    (
        {"sweep.esn0_db": {"start": 0, "stop": 1, "step": 1e-9}},
        "sweep.esn0_db: step must give at most 1000 points, got 1e-09",
    ),
    (
        {"sweep": {"flip_probability": [0.1]}},
        "sweep must be over esn0_db or ebn0_db for the awgn channel of codec vq, "
        "got flip_probability",
    ),
    (
        {"sweep": {"flip_probability": [0.5]}},
        "sweep: flip_probability must be above 0 and below 0.5, got [0.5]",
    ),
    (
        {"phy.channel.kind": "bsc"},
        "sweep must be over flip_probability for the bsc channel of codec vq, got esn0_db",
    ),
    ({"stop": {}}, "stop.trials is required where codecs send images"),
    ({"stop.trials": 0}, "stop.trials: must be greater than or equal to 1, got 0"),
    ({"stop.max_blocks": 5}, "stop.block_errors and stop.max_blocks are for codecs of kind bits"),
    ({"failure": "zero"}, "failure: must be 'mean_colour', 'best_effort' or 'last_good'"),
    ({"metrics": ["vmaf"]}, "metrics.0: must be 'psnr', 'ssim', 'ms_ssim' or 'lpips', got 'vmaf'"),
    ({"taps.samples": ["llr"]}, "taps.samples.0: must be 'image', "),
    (
        {"phy.interleaver": {"kind": "row_column", "columns": 5}},
        "phy: interleaver.columns must divide the block length 648, got 5",
    ),
    (
        {"phy.interleaver": {"kind": "permutation"}, "phy.code": {"kind": "none"}},
        "phy: interleaver works on code blocks: it must be none where code is none",
    ),
    (
        {"phy.code": {"kind": "gallager", "n": 21}},
        "phy.code: n must be a multiple of row_weight 4, got 21",
    ),
    (
        {"phy.code": {"kind": "gallager", "column_weight": 4}},
        "phy.code: row_weight must be more than column_weight 4, got 4",
    ),
    (
        {"phy.code": {"kind": "dvbs2", "n": 16200, "rate": "9/10"}},
        "phy.code: rate must be 8/9 or lower for n = 16200, got 9/10",
    ),
    (
        {"phy.code": {"kind": "nr", "k": 96, "n": 100}},
        "phy.code: k/n must be at most 0.95, got 96/100",
    ),
    (
        {"codecs.bits": {"kind": "bits"}},
        "codecs must be all of kind bits or none, got bits for bits only",
    ),
    ({"images": {"kind": "samples", "names": []}}, "images.names: must have at least 1 item"),
]


@pytest.mark.parametrize(("changes", "line"), ERRORS, ids=[str(e[1])[:40] for e in ERRORS])
def test_each_mistake_gets_its_line(change: Any, changes: dict[str, Any], line: str) -> None:
    data = change(**{k: v for k, v in changes.items() if k != "codecs.../x"})
    if "codecs.../x" in changes:
        data["codecs"]["../x"] = changes["codecs.../x"]
    with pytest.raises(ScenarioError) as error:
        parse(data)
    lines = str(error.value).splitlines()
    assert any(found.startswith(line) for found in lines), lines


def test_mistake_in_shared_phy_is_said_once(change: Any) -> None:
    data = change(**{"phy.code.rate": "9/9", "codecs.bpg.phy": {"crc": "crc8"}})
    with pytest.raises(ScenarioError) as error:
        parse(data)
    assert str(error.value) == ("phy.code.rate: must be '1/2', '2/3', '3/4' or '5/6', got '9/9'")


def test_all_mistakes_are_said_at_once(change: Any) -> None:
    with pytest.raises(ScenarioError) as error:
        parse(change(**{"seed": -1, "stop.trials": 0, "phy.crc": "crc32"}))
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "seed",
        "phy.crc",
        "stop.trials",
    ]


def test_mistakes_of_bits_scenarios(bits: Any) -> None:
    parse(bits())
    for changes, line in (
        ({"metrics": ["psnr"]}, "metrics must be empty where the codecs are of kind bits"),
        ({"images": {"kind": "samples"}}, "images must be left out where the codecs are of kind"),
        ({"stop": {"trials": 1}}, "stop must have block_errors and max_blocks"),
    ):
        with pytest.raises(ScenarioError, match=line):
            parse(bits(**changes))


JUNK = [
    None, 5, -1, "x", "1/0", "1e400", [], {}, [1], {"kind": "x"}, {"kind": 5}, {"kind": [1]}, True,
    math.inf, math.nan, [[1]], ["a"], {"a": 1}, 2**70, [{}], [None], {5: 5},
]  # fmt: skip


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    found = [place] if place else []
    for key, value in inner:
        more = isinstance(value, dict | list)
        found += _places(value, (*place, key)) if more else [(*place, key)]
    return found


def test_junk_anywhere_is_accepted_or_refused_in_words(change: Any) -> None:
    """Whatever stands wherever: never another exception, never an empty or a two-line message."""
    data = change(
        **{
            "codecs.bpg.phy": {"modulation": {"kind": "qam", "order": 4}},
            "sweep.esn0_db": {"start": 1, "stop": 2, "step": "1/2"},
            "metrics": ["psnr", {"kind": "lpips"}],
            "phy.channel": {"kind": "rayleigh", "fading": {"block": 3}},
        }
    )
    said = [_said(data, place, junk) for place in _places(data) for junk in JUNK]
    refused = [text for text in said if text is not None]
    assert len(refused) > 500
    assert all(line.strip() for text in refused for line in text.splitlines() or [""])


def _said(data: dict[str, Any], place: tuple[Any, ...], junk: object) -> str | None:
    """What the refusal says; None where the junk is accepted."""
    changed = copy.deepcopy(data)
    section = changed
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = junk
    try:
        parse(changed)
    except ScenarioError as error:
        return str(error)
    return None


def test_file_errors_name_the_file(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "s.yaml"
    with pytest.raises(ScenarioError, match=r"s\.yaml: no such file$"):
        load(file)
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ScenarioError, match=r"s\.yaml: cannot be read as text"):
        load(file)
    with pytest.raises(ScenarioError, match="cannot be read as text"):
        load(tmp_path)
    for text, line in (
        ("a: 1\na: 2\n", "s.yaml: line 2: key a is given twice"),
        ("a: {b: 1, b: 2}\n", "s.yaml: line 1: key b is given twice"),
        ("1: 2\n", "s.yaml: line 1: key must be text, got 1"),
        ("- a\n", "s.yaml: the file must be a mapping of keys, got list"),
        ("", "s.yaml: the file must be a mapping of keys, got NoneType"),
        ("a: [1\nb: 2", "s.yaml: the file must be YAML: "),
        ("a: 2026-02-30", "s.yaml: the file must be YAML: day "),
        ("a: &x {b: *x}", "s.yaml: the file must be YAML: found unconstructable recursive node"),
        ("a: !!python/object:os.system {}", "s.yaml: the file must be YAML: could not determine"),
    ):
        file.write_text(text)
        with pytest.raises(ScenarioError) as error:
            load(file)
        assert str(error.value).startswith(line)
        assert len(str(error.value).splitlines()) == 1
    file.write_text(yaml.safe_dump(change(seed=-1, **{"stop.trials": 0})))
    with pytest.raises(ScenarioError) as error:
        load(file)
    assert [line[:8] for line in str(error.value).splitlines()] == ["s.yaml: "] * 2


def test_assignments_replace_keys(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(change()))
    scenario = load(
        file,
        ["stop.trials=7", "sweep.esn0_db=[1, 2]", "phy.crc=crc8", "codecs.bpg.phy.crc=none",
         "failure=last_good"],
    )  # fmt: skip
    assert scenario.stop.trials == 7
    assert scenario.sweep.values == [1.0, 2.0]
    assert (scenario.phy.crc, scenario.phy_of("bpg").crc) == ("crc8", "none")
    assert scenario.failure == "last_good"


@pytest.mark.parametrize(
    ("assignment", "line"),
    [
        ("trials", "--set must be KEY=VALUE, got trials"),
        ("seed.a=1", "--set key must name a section's key, got seed.a"),
        ("sweep.esn0_db.0=1", "--set key must name a section's key, got sweep.esn0_db.0"),
        ("seed=[1", "--set seed must be given a YAML value: "),
        ("seed=a: b: c", "--set seed must be given a YAML value: "),
    ],
)
def test_bad_assignments(change: Any, assignment: str, line: str) -> None:
    with pytest.raises(ScenarioError) as error:
        override(change(), [assignment])
    assert str(error.value).startswith(line)


def test_assignment_goes_through_new_sections() -> None:
    assert override(read_yaml("a: 1"), ["b.c.d=1/2"]) == {"a": 1, "b": {"c": {"d": "1/2"}}}


def test_weights_lie_relative_to_the_scenario(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "deep" / "s.yaml"
    file.parent.mkdir()
    metrics = [{"kind": "lpips", "weights": "../l.npz"}, "psnr"]
    file.write_text(
        yaml.safe_dump(change(**{"codecs.vq.weights": "w.safetensors", "metrics": metrics}))
    )
    scenario = load(file)
    assert scenario.codecs["vq"].weights == str(tmp_path / "deep" / "w.safetensors")
    assert scenario.metrics[0].weights == str(tmp_path / "deep" / "../l.npz")
    assert load(file, ["codecs.vq.weights=shipped-name"]).codecs["vq"].weights == "shipped-name"
