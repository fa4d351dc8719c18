"""The mcs-table command: what it measures and prints, how it goes on, what it refuses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver import mcs_command
from transceiver.build_modes import skeleton
from transceiver.mcs.measure import carry, limit_esn0_db
from transceiver.mcs.table import load_table

Call = Callable[..., tuple[int, str, str]]
CODE = {"kind": "ieee80211n", "n": 648, "rate": "1/2"}
OPTIONS = ("--target-bler", 0.05, "--step", 0.5, "--blocks", 192, "--threads", 1)


@pytest.fixture
def family(tmp_path: Path) -> Path:
    path = tmp_path / "family.yaml"
    modes = [
        {"modulation": {"kind": "qam", "order": 16}, "code": CODE},
        {"modulation": {"kind": "psk", "order": 4}, "code": CODE},
        {"modulation": {"kind": "qam", "order": 64}, "code": {**CODE, "rate": "1/2"},
         "interleaver": {"kind": "row_column", "columns": 6}},
        {"modulation": {"kind": "qam", "order": 64}, "code": {"kind": "nr", "k": 216, "n": 648}},
    ]  # fmt: skip
    path.write_text(yaml.safe_dump({"family": "test", "modes": modes}))
    return path


def test_each_threshold_is_the_first_point_that_meets_the_target(
    call: Call, family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "table.yaml"
    code, out, err = call("mcs-table", family, "--output", output, *OPTIONS)
    assert (code, err) == (0, "")
    table = load_table(output)
    assert [m.name for m in table.modes] == [
        "4-psk 1/2", "16-qam 1/2", "64-qam (648, 216)", "64-qam 1/2",
    ]  # fmt: skip
    assert [m.bits_per_channel_use for m in table.modes] == [1, 2, 2, 3]
    assert sorted(m.dominated for m in table.modes) == [False, False, False, True]
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("1/4 16-qam 1/2: 2.000 bits from Es/N0 ")
    assert lines[-1].startswith(f"{output}: 3 modes; dominated: ")
    for mode in table.modes:
        link = skeleton(mode.phy(table.decoder), "mean_colour")
        assert mode.limit_esn0_db == pytest.approx(
            limit_esn0_db(link.modulation, mode.bits_per_channel_use), abs=1e-3
        )
        for esn0_db, meets in ((mode.esn0_db, True), (mode.esn0_db - 0.5, False)):
            tally = carry(link, esn0_db, most_blocks=192, most_errors=9, seed=1)
            assert (tally.block_errors <= 9) == meets
            if meets:
                assert (tally.block_errors, tally.blocks) == (mode.block_errors, mode.blocks)

    written = output.read_text()
    data = yaml.safe_load(written)
    data["modes"] = [mode for mode in data["modes"] if not mode.get("dominated")][1:]
    output.write_text(yaml.safe_dump(data))
    missing = ["16-qam 1/2", "4-psk 1/2", "64-qam 1/2", "64-qam (648, 216)"]
    there = {m.name for m in load_table(output).modes}
    asked = []
    measured = mcs_command._measured
    monkeypatch.setattr(
        mcs_command,
        "_measured",
        lambda mode, *rest: asked.append(mode.name) or measured(mode, *rest),
    )
    code, again, err = call("mcs-table", family, "--output", output, *OPTIONS)
    assert (code, err) == (0, "")
    assert asked == [name for name in missing if name not in there]
    assert len(asked) == 2
    assert output.read_text() == written
    assert [line.partition(";")[0] for line in again.splitlines()] == [
        line.partition(";")[0] for line in lines
    ]

    for option, value, name in (("--seed", 2, "seed"), ("--step", 0.25, "step_db")):
        code, out, err = call("mcs-table", family, "--output", output, *OPTIONS, option, value)
        assert (code, out) == (2, "")
        assert err == (
            f"error: --output: {output} holds a table measured otherwise ({name}); "
            "give another file\n"
        )
    assert output.read_text() == written


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"--target-bler": 0}, "--target-bler must be above 0 and below 1, got 0"),
    ({"--target-bler": 1}, "--target-bler must be above 0 and below 1, got 1"),
    ({"--step": 0}, "--step must be from 0.001 to 5, got 0"),
    ({"--blocks": 19}, "--blocks must be at least 1 / target-bler = 20, got 19"),
    ({"--output": "t.json"}, "--output must be a .yaml file, got t.json"),
    ({"--output": "no/t.yaml"}, "--output: its folder must exist, got no/t.yaml"),
    ({"FAMILY": "dvbs3"}, "family: must be a shipped one (dvbs2-64800) or an existing .yaml file"),
]


@pytest.mark.parametrize(("changes", "line"), REFUSED, ids=[line for _, line in REFUSED])
def test_each_mistake_gets_its_line(
    call: Call, family: Path, tmp_path: Path, changes: dict[str, Any], line: str
) -> None:
    options = {"--target-bler": 0.05, "--output": tmp_path / "t.yaml", **changes}
    name = options.pop("FAMILY", family)
    code, out, err = call("mcs-table", name, *(part for pair in options.items() for part in pair))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {line}")
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "t.yaml").exists()


def test_a_mode_that_never_meets_the_target_is_named(call: Call, tmp_path: Path) -> None:
    """Two iterations of a weak rule leave an error floor far above the capacity."""
    path = tmp_path / "family.yaml"
    mode = {"modulation": {"kind": "qam", "order": 4096, "demapper": "max_log"}, "code": CODE}
    decoder = {"kind": "offset_min_sum", "iterations": 1}
    path.write_text(yaml.safe_dump({"family": "test", "decoder": decoder, "modes": [mode]}))
    output = tmp_path / "t.yaml"
    code, _, err = call(
        "mcs-table", path, "--output", output, "--step", 3, "--blocks", 100, "--threads", 1
    )
    assert code == 2
    assert err.startswith("error: 4096-qam 1/2: no Es/N0 up to ")
    assert not output.exists()
