"""One HEVC intra picture: planes to a byte stream with libx265, and back with FFmpeg's decoder."""

from fractions import Fraction

import av
import numpy as np
import torch
from torch import Tensor

from semcodec.bpg.container import Chroma
from semcodec.errors import DecodeError

_PIXEL_FORMAT: dict[Chroma, str] = {"400": "gray", "420": "yuv420p", "444": "yuv444p"}

# ipratio: with a constant QP x265 codes an I picture three steps finer than it was told.
_X265 = (
    "ipratio=1.0:pbratio=1.0:keyint=1:bframes=0:scenecut=0:rc-lookahead=0:ref=1:"
    "repeat-headers=1:annexb=1:info=0:aud=0:hrd=0:pools=none:frame-threads=1:wpp=0:log-level=none"
)


def encode_picture(
    planes: tuple[Tensor, ...], *, chroma: Chroma, qp: int, preset: str, min_block: int
) -> bytes:
    """Code one intra picture at a constant QP.

    Args:
        planes: uint8 luma ``[H, W]``, then Cb and Cr ``[H, W]`` or ``[H / 2, W / 2]``; sides are
            multiples of ``min_block``.
        chroma: What the planes are.
        qp: Quantisation parameter of the slice, 0 to 51.
        preset: One of x265's.
        min_block: Smallest coding block, 8, or 16 for a picture of at most 16 in a side.

    Returns:
        A byte stream with start codes: VPS, SPS, PPS, slice.
    """
    height, width = planes[0].shape
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height = width, height
    context.pix_fmt = _PIXEL_FORMAT[chroma]
    context.time_base = Fraction(1, 25)
    context.thread_count = 1
    blocks = ":ctu=16:min-cu-size=16" if min_block == 16 else ""
    context.options = {
        "preset": preset,
        "tune": "ssim",
        "x265-params": f"qp={qp}:{_X265}{blocks}",
    }
    frame = av.VideoFrame(width, height, _PIXEL_FORMAT[chroma])
    for target, plane in zip(frame.planes, planes, strict=True):
        padded = np.zeros((plane.shape[0], target.line_size), np.uint8)
        padded[:, : plane.shape[1]] = plane.cpu().numpy()
        target.update(padded.tobytes())
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def decode_picture(stream: bytes, *, chroma: Chroma, height: int, width: int) -> tuple[Tensor, ...]:
    """Decode one picture of a known coded size.

    Args:
        stream: VPS, SPS, PPS and slice, with start codes.
        chroma: What the planes shall be.
        height: Coded rows.
        width: Coded columns.

    Returns:
        The planes of `encode_picture`.

    Raises:
        DecodeError: FFmpeg refuses the stream, or it holds no picture of that size and format.
    """
    context = av.CodecContext.create("hevc", "r")
    context.thread_count = 1
    # A damaged stream may carry another SPS: bound what FFmpeg allocates for it.
    context.options = {"max_pixels": str((width + 128) * (height + 128))}
    try:
        frames = [*context.decode(av.Packet(stream)), *context.decode(None)]
    except (ValueError, IndexError, MemoryError, av.FFmpegError) as error:
        raise DecodeError(f"HEVC data must be decodable, got {error}") from error
    if not frames:
        raise DecodeError("HEVC data must hold a picture, got none")
    frame = frames[0]
    if (frame.format.name, frame.height, frame.width) != (_PIXEL_FORMAT[chroma], height, width):
        raise DecodeError(
            f"HEVC picture must be {_PIXEL_FORMAT[chroma]} {width} x {height}, "
            f"got {frame.format.name} {frame.width} x {frame.height}"
        )
    return tuple(_plane_to_tensor(plane) for plane in frame.planes)


def _plane_to_tensor(plane: av.video.plane.VideoPlane) -> Tensor:
    """uint8 ``[H, W]``: a copy, without the padding at the end of the lines."""
    samples = np.frombuffer(bytes(plane), np.uint8)[: plane.height * plane.line_size]
    rows = samples.reshape(plane.height, plane.line_size)[:, : plane.width]
    return torch.from_numpy(rows.copy())
