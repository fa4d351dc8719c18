"""The BPG container: what stands before the HEVC data of a picture.

::

    0x425047FB | pixel_format u3, alpha1 u1, bit_depth - 8 u4
               | color_space u4, extension u1, alpha2 u1, limited_range u1, animation u1
    ue7 width | ue7 height | ue7 picture_data_length (0: to the end)
    [ue7 extension_data_length | extension_data]
    picture data: ue7 hevc_header_length | hevc_header | PPS and slice NAL units

Source: F. Bellard, "BPG Specification", version 0.9.5, clauses 2 and 3. An ``ue7`` number has
seven bits a byte, most significant first, and a continuation bit.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from semcodec.errors import DecodeError

Chroma: TypeAlias = Literal["400", "420", "444"]

MAGIC = b"BPG\xfb"
_PIXEL_FORMAT: dict[Chroma, int] = {"400": 0, "420": 1, "444": 3}


def write_ue7(value: int) -> bytes:
    """``value`` in seven bits a byte.

    >>> write_ue7(768).hex(), write_ue7(32).hex()
    ('8600', '20')
    """
    if not 0 <= value < 1 << 32:
        raise ValueError(f"ue7 value must be in [0, 2**32), got {value}")
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, 128 | (value & 127))
    return bytes(out)


def read_ue7(data: bytes, position: int) -> tuple[int, int]:
    r"""The number at ``position`` and the position after it; `DecodeError` where it is none.

    >>> read_ue7(b"\x86\0", 0)
    (768, 2)
    """
    value = 0
    for index in range(position, min(position + 5, len(data))):
        byte = data[index]
        if index == position and byte == 0x80:
            raise DecodeError(f"BPG number must not begin with a byte 0x80, got it at {position}")
        value = value << 7 | (byte & 127)
        if byte < 128:
            if value >= 1 << 32:
                raise DecodeError(f"BPG number must be below 2**32, got {value}")
            return value, index + 1
    raise DecodeError(f"BPG number must end within 5 bytes of the file, got none at {position}")


@dataclass(frozen=True)
class BpgHeader:
    r"""A picture as the container describes it: 8 bits, full-range BT.601, no alpha, one frame.

    Attributes:
        width: Columns of the picture, not padded, >= 1.
        height: Rows of the picture, not padded, >= 1.
        chroma: "400" (grey), "420" (chroma between four luma samples, as in JPEG) or "444".
        hevc_header: What the decoder's SPS is made from, without its length.

    >>> header = BpgHeader(width=32, height=32, chroma="444", hevc_header=b"\xb9\x1d\0")
    >>> header.to_bytes().hex(" ")
    '42 50 47 fb 60 00 20 20 00 03 b9 1d 00'
    """

    width: int
    height: int
    chroma: Chroma
    hevc_header: bytes

    def __post_init__(self) -> None:
        """Refuse an empty picture and an unknown chroma format."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"sides must be at least 1, got {self.width} x {self.height}")
        if self.chroma not in _PIXEL_FORMAT:
            raise ValueError(f"chroma must be '400', '420' or '444', got {self.chroma!r}")

    def to_bytes(self) -> bytes:
        """The bytes before the NAL units; the picture data extend to the end of the file."""
        flags = bytes([_PIXEL_FORMAT[self.chroma] << 5, 0])
        sides = write_ue7(self.width) + write_ue7(self.height)
        hevc = write_ue7(len(self.hevc_header)) + self.hevc_header
        return MAGIC + flags + sides + write_ue7(0) + hevc


def parse_header(data: bytes) -> tuple[BpgHeader, int, int]:
    r"""Read the header of a BPG file.

    Returns:
        The header, and where the NAL units begin and end.

    Raises:
        DecodeError: The bytes are no BPG file, or one with alpha, animation, a limited range,
            more than 8 bits, or a pixel format or colour space other than those of `BpgHeader`.

    >>> parse_header(bytes.fromhex("425047fb 6000 8600 8400 00 01 92") + b"data")
    (BpgHeader(width=768, height=512, chroma='444', hevc_header=b'\x92'), 13, 17)
    """
    if data[:4] != MAGIC or len(data) < 8:
        raise DecodeError(
            f"BPG file must begin with {MAGIC.hex()} and be longer than that, "
            f"got {data[:8].hex() or 'nothing'}"
        )
    pixel_format, alpha1, depth = data[4] >> 5, data[4] >> 4 & 1, (data[4] & 15) + 8
    color_space, extension, alpha2, limited, animation = (
        data[5] >> 4,
        *(data[5] >> bit & 1 for bit in (3, 2, 1, 0)),
    )
    chroma = next((name for name, code in _PIXEL_FORMAT.items() if code == pixel_format), None)
    if alpha1 or alpha2 or animation:
        raise DecodeError("BPG picture must have neither alpha nor animation, got one of them")
    if chroma is None or color_space or limited or depth != 8:
        raise DecodeError(
            "BPG picture must be 8-bit full-range BT.601 in 4:0:0, 4:2:0 or 4:4:4, got "
            f"pixel_format {pixel_format}, color_space {color_space}, limited_range {limited}, "
            f"{depth} bits"
        )
    width, position = read_ue7(data, 6)
    height, position = read_ue7(data, position)
    length, position = read_ue7(data, position)
    if extension:
        skip, position = read_ue7(data, position)
        position += skip
    end = position + length if length else len(data)
    hevc_length, position = read_ue7(data, position)
    begin = position + hevc_length
    if width < 1 or height < 1:
        raise DecodeError(f"BPG sides must be at least 1, got {width} x {height}")
    if begin >= end or end > len(data):
        raise DecodeError(f"BPG file must have {max(begin + 1, end)} bytes, got {len(data)}")
    return BpgHeader(width, height, chroma, data[position:begin]), begin, end
