"""Bits and parameter sets of HEVC: tables of the standard, round trips, x265's own SPS."""

import random

import pytest
import torch

from semcodec.bpg.bits import (
    BitReader,
    BitWriter,
    escape,
    nal_type,
    split_nals,
    unescape,
)
from semcodec.bpg.hevc_syntax import SPS, VPS, CodingTools, Pcm, video_parameter_set
from semcodec.bpg.pictures import encode_picture

USUAL = CodingTools(3, 3, 2, 3, 2, 1, None, 1, None)
RICH = CodingTools(4, 1, 3, 2, 0, 0, Pcm(7, 6, 0, 2, 1), 0, 0b101000001)


@pytest.mark.parametrize(
    ("value", "bits"),
    [(0, "1"), (1, "010"), (2, "011"), (3, "00100"), (4, "00101"), (5, "00110"), (6, "00111"),
     (7, "0001000"), (8, "0001001"), (9, "0001010")],
)  # fmt: skip
def test_exp_golomb_is_table_9_2(value: int, bits: str) -> None:
    writer = BitWriter()
    writer.ue(value)
    assert "".join(writer.bits) == bits
    assert BitReader(writer.to_bytes()).ue() == value


@pytest.mark.parametrize(("code", "value"), list(enumerate([0, 1, -1, 2, -2, 3, -3])))
def test_signed_exp_golomb_is_table_9_3(code: int, value: int) -> None:
    writer = BitWriter()
    writer.ue(code)
    assert BitReader(writer.to_bytes()).se() == value


def test_fields_round_trip() -> None:
    rng = random.Random(1)
    fields = [(rng.randrange(3), rng.randrange(1 << 16)) for _ in range(500)]
    writer = BitWriter()
    for kind, value in fields:
        if kind:
            writer.ue(value)
        else:
            writer.u(16, value)
    reader = BitReader(writer.to_bytes())
    assert [reader.ue() if kind else reader.u(16) for kind, _ in fields] == [v for _, v in fields]
    assert reader.position <= 8 * len(reader.data) < reader.position + 8


def test_bits_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="bit stream must hold 9 bits, got 8"):
        BitReader(b"\0").u(9)
    with pytest.raises(ValueError, match="prefix must be at most 32 zeros"):
        BitReader(bytes(8)).ue()
    with pytest.raises(ValueError, match="value must fit into 3 bits, got 8"):
        BitWriter().u(3, 8)


def test_emulation_prevention_hides_start_codes_and_is_undone() -> None:
    rng = random.Random(2)
    for _ in range(300):
        rbsp = bytes(rng.choice((0, 0, 0, 1, 2, 3, 4, 255)) for _ in range(40)) + b"\x80"
        payload = escape(rbsp)
        assert unescape(payload) == rbsp
        assert not any(bytes((0, 0, last)) in payload for last in (0, 1, 2))


def test_nal_units_are_split_at_both_start_codes() -> None:
    nals = (video_parameter_set(), USUAL.to_sps(64, 64, chroma="420"), b"\x44\1abc")
    stream = b"\0\0\0\1" + nals[0] + b"\0\0\1" + nals[1] + b"\0\0\0\1" + nals[2]
    assert split_nals(stream) == nals
    assert [nal_type(nal) for nal in nals] == [VPS, SPS, 34]


def test_hevc_header_of_the_usual_pictures() -> None:
    assert USUAL.to_header().hex() == "924740"
    assert CodingTools(3, 2, 2, 3, 2, 1, None, 1, None).to_header().hex() == "b91d00"


@pytest.mark.parametrize("tools", [USUAL, RICH])
def test_coding_tools_round_trip(tools: CodingTools) -> None:
    assert CodingTools.from_header(tools.to_header()) == tools
    for chroma in ("400", "420", "444"):
        assert CodingTools.from_sps(tools.to_sps(768, 512, chroma=chroma)) == tools


def test_tools_of_x265_are_those_of_the_encoder_settings() -> None:
    planes = (torch.zeros(32, 64, dtype=torch.uint8),)
    for min_block, log2_size in ((8, 3), (16, 4)):
        stream = encode_picture(planes, chroma="400", qp=30, preset="medium", min_block=min_block)
        nals = split_nals(stream)
        assert [nal_type(nal) for nal in nals] == [32, 33, 34, 20]
        tools = CodingTools.from_sps(nals[1])
        assert (tools.log2_min_cb, tools.log2_min_tb) == (log2_size, 2)
        assert (tools.pcm, tools.range_extension, tools.strong_intra_smoothing) == (None, None, 1)


def test_coding_tools_refuse_what_bpg_has_not() -> None:
    with pytest.raises(ValueError, match=r"log2_min_cb must be in \[3, 6\], got 7"):
        CodingTools(7, 0, 2, 0, 0, 0, None, 0, None)
    with pytest.raises(ValueError, match="bit stream must hold"):
        CodingTools.from_header(b"\x92")
    other_extension = BitWriter()
    for value in (0, 3, 0, 3, 2):
        other_extension.ue(value)
    other_extension.u(4, 0b1011)
    other_extension.u(8, 0b01000000)
    with pytest.raises(ValueError, match="no extension but range_extension, got 01000000"):
        CodingTools.from_header(other_extension.to_bytes())
