import importlib.util
import json
from pathlib import Path

import pytest
import torch

from phy.ldpc import DvbS2, Gallager, Ieee80211n, LdpcCode, Nr
from phy.ldpc.code import load_table

CODES: list[LdpcCode] = [Ieee80211n(648, "1/2"), DvbS2(16200, "3/4"), Nr(100, 320), Gallager()]


@pytest.mark.parametrize("code", CODES)
def test_contract(code: LdpcCode) -> None:
    generator = torch.Generator().manual_seed(1)
    info = torch.randint(0, 2, (2, 3, code.k), dtype=torch.uint8, generator=generator)
    coded, word = code.encode(info), code.codeword(info)
    assert coded.shape == (2, 3, code.n)
    assert coded.dtype == torch.uint8
    assert word.shape == (2, 3, code.graph.variables)
    assert torch.equal(code.info(word), info)
    assert not code.graph.syndrome(word).any()
    assert torch.equal(code.encode(info[1, 2]), coded[1, 2])

    mother = code.rate_recover(1 - 2 * coded.float())
    assert mother.shape == word.shape
    known = mother != 0
    assert torch.equal((mother < 0).to(torch.uint8)[known], word[known])
    assert code.rate_recover(torch.zeros(2, 3, code.n, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("code", CODES)
def test_codes_are_linear(code: LdpcCode) -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randint(0, 2, (2, 5, code.k), dtype=torch.uint8, generator=generator)
    assert torch.equal(code.encode(a ^ b), code.encode(a) ^ code.encode(b))
    assert not code.encode(torch.zeros(code.k, dtype=torch.uint8)).any()


@pytest.mark.parametrize("code", CODES)
def test_no_blocks(code: LdpcCode) -> None:
    assert code.encode(torch.zeros(0, code.k, dtype=torch.uint8)).shape == (0, code.n)
    assert code.rate_recover(torch.zeros(0, code.n)).shape == (0, code.graph.variables)


@pytest.mark.parametrize("code", CODES)
def test_refused(code: LdpcCode) -> None:
    with pytest.raises(
        ValueError, match=rf"info must be uint8 bits \[..., {code.k}\], got .*\[7, 3\]"
    ):
        code.encode(torch.zeros(7, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"info must be uint8 bits .*, got torch\.float32"):
        code.encode(torch.zeros(code.k))
    with pytest.raises(ValueError, match=rf"llrs must be \[..., {code.n}\], got \[7, 3\]"):
        code.rate_recover(torch.zeros(7, 3))


def test_a_damaged_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"dvbs2\.json must have SHA-256 00, got 78f12e5a"):
        load_table("dvbs2", sha256="00")


@pytest.mark.parametrize("name", ["ieee80211n", "dvbs2"])
def test_tables_are_as_their_script_makes_them(name: str) -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("make", root / "tools" / "make_ldpc_tables.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    source, fields = make.STANDARDS[name]
    text = (root / "phy" / "ldpc" / "tables" / f"{name}.json").read_text()
    assert make.table_text(source, json.loads(text)["codes"], fields) == text
