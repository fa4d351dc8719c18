"""HEVC parameter sets: what a BPG file keeps of x265's SPS, and what a decoder is given back.

BPG drops the VPS and the SPS and keeps only the coding tools of the SPS (``hevc_header``). Here
they are parsed from an encoder's SPS, written into the BPG header, read from it, and a VPS and an
SPS are made again for the decoder. Clauses are of ITU-T H.265 (08/2021).
"""

from dataclasses import dataclass

from semcodec.bpg.bits import BitReader, BitWriter, escape, unescape
from semcodec.bpg.container import Chroma

VPS, SPS = 32, 33
_CHROMA_FORMAT_IDC: dict[Chroma, int] = {"400": 0, "420": 1, "444": 3}


@dataclass(frozen=True)
class Pcm:
    """The fields of an SPS with pcm_enabled_flag, in their order in clause 7.3.2.2.1."""

    luma_bits_minus1: int
    chroma_bits_minus1: int
    log2_min_size_minus3: int
    log2_size_difference: int
    loop_filter_disabled: int


@dataclass(frozen=True)
class CodingTools:
    """The part of an SPS that BPG transmits, clause 7.4.3.2.1.

    Attributes:
        log2_min_cb: Smallest coding block, 3 to 6.
        log2_cb_difference: From the smallest to the largest coding block.
        log2_min_tb: Smallest transform block, >= 2.
        log2_tb_difference: From the smallest to the largest transform block.
        intra_depth: max_transform_hierarchy_depth_intra.
        sao: Sample adaptive offset, 0 or 1.
        pcm: Its fields, None where it is off.
        strong_intra_smoothing: 0 or 1.
        range_extension: The nine flags of sps_range_extension, None where it is absent.

    >>> CodingTools(3, 2, 2, 3, 2, 1, None, 1, None).to_header().hex()
    'b91d00'
    """

    log2_min_cb: int
    log2_cb_difference: int
    log2_min_tb: int
    log2_tb_difference: int
    intra_depth: int
    sao: int
    pcm: Pcm | None
    strong_intra_smoothing: int
    range_extension: int | None

    def __post_init__(self) -> None:
        """Refuse a block size that no HEVC picture has."""
        if not 3 <= self.log2_min_cb <= 6:
            raise ValueError(f"log2_min_cb must be in [3, 6], got {self.log2_min_cb}")

    def to_header(self) -> bytes:
        """The ``hevc_header`` of a BPG file, without its length."""
        out = BitWriter()
        self._write_block_sizes(out)
        out.ue(self.intra_depth)
        out.u(1, self.sao)
        self._write_pcm(out)
        out.u(1, self.strong_intra_smoothing)
        self._write_extension(out)
        return out.to_bytes()

    @staticmethod
    def from_header(hevc_header: bytes) -> "CodingTools":
        """The inverse of `to_header`; `ValueError` where the bytes are no such header."""
        reader = BitReader(hevc_header)
        sizes = _read_block_sizes(reader)
        intra_depth, sao, pcm = reader.ue(), reader.u(1), _read_pcm(reader)
        return CodingTools(*sizes, intra_depth, sao, pcm, reader.u(1), _read_extension(reader))

    @staticmethod
    def from_sps(sps: bytes) -> "CodingTools":
        """Parse an SPS NAL unit: one sub-layer, no scaling lists, no reference picture sets."""
        reader = BitReader(unescape(sps)[2:])
        reader.u(4)
        sub_layers_minus1 = reader.u(3)
        reader.u(1 + 96)  # temporal nesting; profile, tier and level without sub-layers
        reader.ue()  # SPS id
        if reader.ue() == 3:
            reader.u(1)  # separate colour planes
        _skip_ue(reader, 2)  # size
        if reader.u(1):
            _skip_ue(reader, 4)  # conformance window
        _skip_ue(reader, 3)  # bit depths, picture order count
        reader.u(1)
        _skip_ue(reader, 3)  # buffering of the only sub-layer
        sizes = _read_block_sizes(reader)
        reader.ue()  # max_transform_hierarchy_depth_inter
        intra_depth, scaling_lists = reader.ue(), reader.u(1)
        reader.u(1)  # asymmetric motion partitions
        sao, pcm = reader.u(1), _read_pcm(reader)
        reference_sets, long_term = reader.ue(), reader.u(1)
        if sub_layers_minus1 or scaling_lists or reference_sets or long_term:
            raise ValueError("SPS must be of an intra picture without scaling lists, got another")
        reader.u(1)  # temporal motion vector prediction
        strong_intra_smoothing = reader.u(1)
        if reader.u(1):
            _skip_vui(reader)
        extension = _read_extension(reader)
        return CodingTools(*sizes, intra_depth, sao, pcm, strong_intra_smoothing, extension)

    def to_sps(self, width: int, height: int, *, chroma: Chroma) -> bytes:
        """An SPS NAL unit for a coded picture of ``width`` x ``height``, clause 7.3.2.2.1."""
        out = BitWriter()
        out.u(16, SPS << 9 | 1)  # NAL unit header: layer 0, temporal id 0
        out.u(4, 0)
        out.u(3, 0)
        out.u(1, 1)
        _write_profile(out)
        out.ue(0)
        out.ue(_CHROMA_FORMAT_IDC[chroma])
        if chroma == "444":
            out.u(1, 0)
        out.ue(width)
        out.ue(height)
        out.u(1, 0)  # no conformance window: the container's size crops
        out.ue(0)  # 8 bits luma
        out.ue(0)  # 8 bits chroma
        out.ue(4)  # log2_max_pic_order_cnt_lsb_minus4
        _write_buffering(out)
        self._write_block_sizes(out)
        out.ue(self.intra_depth)  # inter, unused
        out.ue(self.intra_depth)
        out.u(1, 0)  # scaling lists
        out.u(1, 1)  # asymmetric motion partitions
        out.u(1, self.sao)
        self._write_pcm(out)
        out.ue(0)  # short-term reference picture sets
        out.u(1, 0)  # long-term reference pictures
        out.u(1, 1)  # temporal motion vector prediction
        out.u(1, self.strong_intra_smoothing)
        out.u(1, 0)  # VUI
        self._write_extension(out)
        out.stop()
        return escape(out.to_bytes())

    def _write_block_sizes(self, out: BitWriter) -> None:
        out.ue(self.log2_min_cb - 3)
        out.ue(self.log2_cb_difference)
        out.ue(self.log2_min_tb - 2)
        out.ue(self.log2_tb_difference)

    def _write_pcm(self, out: BitWriter) -> None:
        out.u(1, int(self.pcm is not None))
        if self.pcm is not None:
            out.u(4, self.pcm.luma_bits_minus1)
            out.u(4, self.pcm.chroma_bits_minus1)
            out.ue(self.pcm.log2_min_size_minus3)
            out.ue(self.pcm.log2_size_difference)
            out.u(1, self.pcm.loop_filter_disabled)

    def _write_extension(self, out: BitWriter) -> None:
        out.u(1, int(self.range_extension is not None))
        if self.range_extension is not None:
            out.u(8, 0x80)  # of the eight extensions only sps_range_extension
            out.u(9, self.range_extension)


def video_parameter_set() -> bytes:
    """A VPS NAL unit with one layer, clause 7.3.2.1: FFmpeg takes no SPS without it.

    >>> video_parameter_set().hex()[:16]
    '40010c01ffff0408'
    """
    out = BitWriter()
    out.u(16, VPS << 9 | 1)
    out.u(4, 0)  # id
    out.u(2, 3)  # the base layer is here
    out.u(6, 0)  # one layer
    out.u(3, 0)  # one sub-layer
    out.u(1, 1)
    out.u(16, 0xFFFF)
    _write_profile(out)
    _write_buffering(out)
    out.u(6, 0)  # highest layer id
    out.ue(0)  # one layer set
    out.u(1, 0)  # timing
    out.u(1, 0)  # extension
    out.stop()
    return escape(out.to_bytes())


def _write_profile(out: BitWriter) -> None:
    """profile_tier_level of clause 7.3.3: format range extensions (4), main tier, level 6.2."""
    out.u(3, 0)
    out.u(5, 4)
    out.u(32, 1 << 31 - 4)
    out.u(4, 0b1001)  # progressive, frames only
    out.u(44, 0)
    out.u(8, 186)


def _write_buffering(out: BitWriter) -> None:
    """One picture, output at once."""
    out.u(1, 1)
    for _ in range(3):
        out.ue(0)


def _read_block_sizes(reader: BitReader) -> tuple[int, int, int, int]:
    return reader.ue() + 3, reader.ue(), reader.ue() + 2, reader.ue()


def _read_pcm(reader: BitReader) -> Pcm | None:
    if not reader.u(1):
        return None
    return Pcm(reader.u(4), reader.u(4), reader.ue(), reader.ue(), reader.u(1))


def _read_extension(reader: BitReader) -> int | None:
    if not reader.u(1):
        return None
    extensions = reader.u(8)
    if extensions & 0x7F:
        raise ValueError(f"SPS must have no extension but range_extension, got {extensions:08b}")
    return reader.u(9) if extensions else None


def _skip_ue(reader: BitReader, count: int) -> None:
    for _ in range(count):
        reader.ue()


def _skip_vui(reader: BitReader) -> None:
    """Walk vui_parameters of Annex E.2.1."""
    if reader.u(1) and reader.u(8) == 255:
        reader.u(32)  # sample aspect ratio
    if reader.u(1):
        reader.u(1)  # overscan
    if reader.u(1):
        reader.u(4)  # video format, range
        if reader.u(1):
            reader.u(24)  # colour description
    if reader.u(1):
        _skip_ue(reader, 2)  # chroma location
    reader.u(3)
    if reader.u(1):
        _skip_ue(reader, 4)  # default display window
    if reader.u(1):
        reader.u(64)  # timing
        if reader.u(1):
            reader.ue()
        if reader.u(1):
            raise ValueError("SPS must have no HRD parameters, got some")
    if reader.u(1):
        reader.u(3)
        _skip_ue(reader, 5)  # bitstream restriction
