"""The BPG container against its specification."""

import pytest

from semcodec.bpg.container import BpgHeader, parse_header, read_ue7, write_ue7
from semcodec.errors import DecodeError

USUAL = bytes.fromhex("425047fb 60 00 8600 8400 00 03 924740") + b"nal units"


@pytest.mark.parametrize(
    ("value", "code"),
    [(0, "00"), (8, "08"), (127, "7f"), (128, "8100"), (768, "8600"), (4484, "a304"),
     (2**32 - 1, "8fffffff7f")],
)  # fmt: skip
def test_ue7_is_seven_bits_a_byte(value: int, code: str) -> None:
    assert write_ue7(value).hex() == code
    assert read_ue7(b"\xaa" + bytes.fromhex(code) + b"\xaa", 1) == (value, 1 + len(code) // 2)


def test_ue7_round_trip() -> None:
    for value in [*range(2000), *(1 << k for k in range(32)), *((1 << k) - 1 for k in range(32))]:
        data = write_ue7(value)
        assert read_ue7(data, 0) == (value, len(data))


@pytest.mark.parametrize("code", ["80", "8001", "81", "ffffffffff7f", "ffffffff7f", ""])
def test_ue7_refuses_what_is_no_number(code: str) -> None:
    with pytest.raises(DecodeError, match="BPG number must"):
        read_ue7(bytes.fromhex(code), 0)


def test_ue7_refuses_a_value_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"ue7 value must be in \[0, 2\*\*32\), got -1"):
        write_ue7(-1)


@pytest.mark.parametrize("chroma", ["400", "420", "444"])
@pytest.mark.parametrize("size", [(1, 1), (127, 128), (768, 512), (16384, 3)])
def test_header_round_trip(chroma: str, size: tuple[int, int]) -> None:
    header = BpgHeader(*size, chroma, b"\x92\x47\x40")
    parsed, begin, end = parse_header(header.to_bytes() + b"data")
    assert (parsed, end - begin) == (header, 4)
    assert begin == len(header.to_bytes())


def test_header_of_the_specification_field_by_field() -> None:
    header, begin, end = parse_header(USUAL)
    assert header == BpgHeader(768, 512, "444", bytes.fromhex("924740"))
    assert USUAL[begin:end] == b"nal units"


def test_extension_is_skipped_and_a_given_length_is_kept() -> None:
    data = bytes.fromhex("425047fb 20 08 20 20 08 02 abcd 03 b91d00") + b"nals" + b"rest"
    header, begin, end = parse_header(data)
    assert header == BpgHeader(32, 32, "420", bytes.fromhex("b91d00"))
    assert data[begin:end] == b"nals"


@pytest.mark.parametrize(
    ("position", "byte", "message"),
    [
        (0, 0x43, "must begin with 425047fb"),
        (4, 0x70, "neither alpha nor animation"),
        (5, 0x04, "neither alpha nor animation"),
        (5, 0x01, "neither alpha nor animation"),
        (4, 0x40, "8-bit full-range BT.601"),
        (4, 0x62, "10 bits"),
        (5, 0x10, "color_space 1"),
        (5, 0x02, "limited_range 1"),
        (6, 0x80, "must not begin with a byte 0x80"),
        (10, 0x7F, "file must have"),
        (11, 0x7F, "file must have"),
    ],
)
def test_header_refuses_other_pictures(position: int, byte: int, message: str) -> None:
    data = bytearray(USUAL)
    data[position] = byte
    with pytest.raises(DecodeError, match=message):
        parse_header(bytes(data))


def test_header_refuses_every_truncation() -> None:
    for length in range(len(USUAL) - len(b"nal units") + 1):
        with pytest.raises(DecodeError):
            parse_header(USUAL[:length])


def test_header_refuses_an_empty_picture() -> None:
    with pytest.raises(DecodeError, match="sides must be at least 1, got 0 x 8"):
        parse_header(bytes.fromhex("425047fb 60 00 00 08 00 03 924740") + b"data")
    with pytest.raises(ValueError, match="sides must be at least 1, got 8 x 0"):
        BpgHeader(8, 0, "444", b"")
    with pytest.raises(ValueError, match="chroma must be '400', '420' or '444', got '422'"):
        BpgHeader(8, 8, "422", b"")  # type: ignore[arg-type]
