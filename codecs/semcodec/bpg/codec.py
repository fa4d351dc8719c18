"""BPG: one HEVC intra picture in Bellard's container, at 8 bits and full-range BT.601.

::

    image --RGB to Y'CbCr--halve chroma--pad--> libx265 --> SPS becomes hevc_header --> file
    image <--Y'CbCr to RGB--double chroma--crop-- FFmpeg <-- VPS and SPS are made again <-- file

Sources: F. Bellard, "BPG Specification" 0.9.5; ITU-T H.265. The files are true BPG files.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from semcodec.bpg.bits import START_CODE, nal_type, split_nals
from semcodec.bpg.colour import double_chroma, halve_chroma, rgb_to_ycbcr, ycbcr_to_rgb
from semcodec.bpg.container import BpgHeader, Chroma, parse_header
from semcodec.bpg.hevc_syntax import SPS, CodingTools, video_parameter_set
from semcodec.bpg.pictures import decode_picture, encode_picture
from semcodec.budget import best_within
from semcodec.codec import Image
from semcodec.errors import DecodeError
from semcodec.image_io import require_image

_PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_KEPT_NALS = (34, 16, 17, 18, 19, 20, 21)  # PPS and the slices of an intra picture


@dataclass(frozen=True)
class Bpg:
    """A byte codec that makes and reads BPG files.

    Attributes:
        chroma: "444" (best RGB quality), "420", or "400", which keeps only the luma.
        preset: x265's effort; all presets give files that any BPG decoder reads.

    >>> image = torch.full((3, 20, 30), 128, dtype=torch.uint8)
    >>> data = Bpg().encode(image, 30)
    >>> Bpg().header_bytes(data), torch.equal(Bpg().decode(data, 20, 30), image)
    (21, True)
    """

    chroma: Chroma = "444"
    preset: str = "veryslow"

    def __post_init__(self) -> None:
        """Refuse what x265 and the container do not know."""
        if self.chroma not in ("400", "420", "444"):
            raise ValueError(f"chroma must be '400', '420' or '444', got {self.chroma!r}")
        if self.preset not in _PRESETS:
            raise ValueError(f"preset must be one of {', '.join(_PRESETS)}, got {self.preset!r}")

    @property
    def qualities(self) -> range:
        """The QPs from the smallest file to the best picture: 51, 50, ..., 0."""
        return range(51, -1, -1)

    def encode(self, image: Image, quality: int) -> bytes:
        """The BPG file of an image ``[3, H, W]`` at the QP ``quality``, 0 (best) to 51."""
        require_image(image)
        if quality not in self.qualities:
            raise ValueError(f"quality must be a QP in [0, 51], got {quality}")
        height, width = image.shape[1:]
        min_block = 16 if min(height, width) <= 8 else 8
        planes = self._planes(_pad_to_multiple(image, min_block))
        stream = encode_picture(
            planes, chroma=self.chroma, qp=quality, preset=self.preset, min_block=min_block
        )
        nals = split_nals(stream)
        tools = CodingTools.from_sps(next(nal for nal in nals if nal_type(nal) == SPS))
        header = BpgHeader(width, height, self.chroma, tools.to_header())
        kept = (nal for nal in nals if nal_type(nal) in _KEPT_NALS)
        return header.to_bytes() + START_CODE.join(kept)

    def encode_to_budget(self, image: Image, max_bytes: int) -> bytes:
        """The file with the lowest QP that has at most ``max_bytes``; `BudgetError` if none."""
        return best_within(self, image, max_bytes)

    def decode(self, data: bytes, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of a BPG file, on the CPU.

        The file's own chroma format counts, not that of this codec. Most damage to the data goes
        unnoticed by HEVC: protect it with a CRC.

        Raises:
            DecodeError: It is no BPG file of that size, or has alpha, animation or other colours.
        """
        header, begin, end = parse_header(data)
        if (header.height, header.width) != (height, width):
            raise DecodeError(
                f"BPG picture must be {width} x {height}, got {header.width} x {header.height}"
            )
        try:
            tools = CodingTools.from_header(header.hevc_header)
        except ValueError as error:
            raise DecodeError(f"BPG header must describe an HEVC picture, got: {error}") from error
        block = 1 << tools.log2_min_cb
        coded = height + -height % block, width + -width % block
        sps = tools.to_sps(coded[1], coded[0], chroma=header.chroma)
        stream = START_CODE.join((b"", video_parameter_set(), sps, data[begin:end]))
        planes = decode_picture(stream, chroma=header.chroma, height=coded[0], width=coded[1])
        luma = planes[0][:height, :width]
        if header.chroma == "400":
            return luma.expand(3, -1, -1).contiguous()
        if header.chroma == "420":
            halves = (plane[: -(-height // 2), : -(-width // 2)] for plane in planes[1:])
            cb, cr = (double_chroma(half, height, width) for half in halves)
        else:
            cb, cr = (plane[:height, :width] for plane in planes[1:])
        return ycbcr_to_rgb(torch.stack((luma, cb, cr)))

    def header_bytes(self, data: bytes) -> int:
        """Bytes of the container's header, the hevc_header and the PPS with the start code after.

        With one preset and image size they are the same for every picture and QP: x265 puts the
        QP into the slice, not into the PPS.
        """
        _, begin, end = parse_header(data)
        slice_start = data.find(START_CODE, begin, end)
        if slice_start < 0:
            raise DecodeError("BPG data must hold a PPS and a slice, got one NAL unit")
        return slice_start + len(START_CODE)

    def _planes(self, image: Image) -> tuple[Tensor, ...]:
        """What is coded of an image: luma, and chroma as `chroma` says."""
        luma, cb, cr = rgb_to_ycbcr(image)
        if self.chroma == "400":
            return (luma,)
        if self.chroma == "420":
            return luma, halve_chroma(cb), halve_chroma(cr)
        return luma, cb, cr


def _pad_to_multiple(image: Image, multiple: int) -> Image:
    """Replicate the last column and row until both sides are multiples."""
    height, width = image.shape[1:]
    margins = (0, -width % multiple, 0, -height % multiple)
    return pad(image.float(), margins, mode="replicate").to(torch.uint8)
