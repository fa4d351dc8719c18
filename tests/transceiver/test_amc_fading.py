"""Adaptive modulation and coding by the mean Es/N0, and where its table comes from."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from transceiver.build import build
from transceiver.results import rows
from transceiver.scenario import ScenarioError, load, parse
from transceiver.store import Store

Run = Callable[..., Store]
Call = Callable[..., tuple[int, str, str]]
MODES = [("2", "1/2", 324, 1, -1.0), ("4", "1/2", 324, 2, 2.0), ("8", "3/4", 486, 3, 9.0)]
SYMBOL = {"kind": "rayleigh", "fading": "symbol"}
TDL = {
    "kind": "tdl", "model": "A", "delay_spread_s": 1e-7, "carrier_frequency_hz": 3.5e9,
    "subcarriers": 64, "subcarrier_spacing_hz": 30e3, "cyclic_prefix": 8,
}  # fmt: skip


def _table() -> dict[str, Any]:
    modes = [
        {
            "modulation": {"kind": "psk", "order": int(order)},
            "code": {"kind": "ieee80211n", "n": 648, "rate": rate},
            "bits_per_channel_use": k * m / 648,
            "esn0_db": esn0_db,
            "limit_esn0_db": esn0_db - 2,
            "bler": 0.0,
            "bler_low": 0.0,
            "bler_high": 0.04,
            "block_errors": 0,
            "blocks": 100,
        }
        for order, rate, k, m, esn0_db in MODES
    ]
    return {
        "family": "test", "target_bler": 0.01, "step_db": 0.5, "most_blocks": 100, "seed": 1,
        "measured_with": "nothing", "modes": modes,
    }  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "modes.yaml"
    path.write_text(yaml.safe_dump(_table()))
    return path


@pytest.fixture
def amc(change: Any, table: Path) -> Callable[..., dict[str, Any]]:
    def changed(**dotted: Any) -> dict[str, Any]:
        plan = {"kind": "amc", "table": str(table), "margin_db": 3.0}
        bpg = {"kind": "bpg", "budget": {"kind": "symbols_of", "codec": "vq"}, "headers": "known"}
        start = {
            "codecs.jpeg": ...,
            "codecs.vq.plan": plan,
            "codecs.bpg": {**bpg, "plan": dict(plan)},
            "sweep.esn0_db": [4.9, 5.0, 30.0],
            "metrics": ["psnr"],
        }
        return change(**(start | dotted))

    return changed


@pytest.mark.parametrize("channel", [SYMBOL, {**SYMBOL, "fading": {"block": 50}}, TDL])
def test_the_mean_state_decides_where_an_image_has_many_gains(
    amc: Any, run_in: Run, channel: dict[str, Any]
) -> None:
    store = run_in(amc(**{"phy.channel": channel, "stop.trials": 1}))
    for row, mode in zip([r for r in rows(store) if r.codec == "vq"], (0, 1, 2), strict=True):
        _, _, k, m, _ = MODES[mode]
        pairs = zip(store.units("vq", row.point), store.units("bpg", row.point), strict=True)
        for vq, bpg in pairs:
            blocks = -(-(vq.counters.source_bits + 24) // k)
            assert vq.counters.symbols == -(-blocks * 648 // m)
            assert bpg.outage or bpg.counters.symbols == vq.counters.symbols


def test_unfit_channels_and_sweeps_are_refused(amc: Any) -> None:
    bsc = amc(**{"phy.channel": {"kind": "bsc"}, "sweep": {"flip_probability": [0.1]}})
    for data, line in (
        (bsc, "codecs.vq.plan: amc needs a channel with symbols, got bsc"),
        (
            amc(sweep={"ebn0_db": [1.0]}),
            "codecs.vq.plan: amc needs a sweep over esn0_db or normalized_snr_db, got ebn0_db: "
            "it would depend on the mode, and the mode on it",
        ),
    ):
        with pytest.raises(ScenarioError) as caught:
            parse(data)
        assert str(caught.value).splitlines()[0] == line


def test_a_relative_table_lies_beside_the_scenario(
    amc: Any, table: Path, tmp_path: Path, call: Call
) -> None:
    data = amc(**{"codecs.vq.plan.table": "modes.yaml"})
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(data))
    scenario = load(path)
    assert scenario.codecs["vq"].plan.table == str(table)
    assert len(build(scenario)["vq"].links) == 3
    assert call("validate", path)[0] == 0
    damaged = _table()
    damaged["modes"][1]["dominated"] = True
    table.write_text(yaml.safe_dump(damaged))
    code, out, err = call("validate", path)
    assert (code, out) == (2, "")
    assert "error: modes.yaml: modes.1.dominated must be False, got True" in err
    table.unlink()
    code, _, err = call("validate", path)
    assert code == 2
    assert "error: codecs.vq.plan.table: must be a shipped table" in err


def test_a_run_goes_on_with_its_own_table_only(
    amc: Any, table: Path, tmp_path: Path, run_in: Run
) -> None:
    data = amc(**{"sweep.esn0_db": [5.0], "stop.trials": 1})
    data["codecs"].pop("bpg")
    store = run_in(data, folder=tmp_path / "run")
    assert run_in(data, folder=tmp_path / "run").rows() == store.rows()
    table.write_text(table.read_text() + "\n")
    with pytest.raises(ScenarioError, match="holds a run with other mode tables; give another"):
        run_in(data, folder=tmp_path / "run")


@pytest.mark.parametrize("esn0_db", [4.9, 5.0])
def test_send_takes_the_mode_of_the_mean_state(
    amc: Any, tmp_path: Path, picture_folder: Path, call: Call, esn0_db: float
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(amc(**{"phy.channel": SYMBOL})))
    picture = shutil.copy(picture_folder / "a-face.png", tmp_path)
    code, out, err = call(
        "send", picture, "--codec", "vq", "--esn0-db", esn0_db, "--scenario", path,
        "--out", tmp_path / "out.png",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert f"{324 if esn0_db == 5 else 648} symbols" in out
