"""BPG files: what they hold, what comes back, what is refused."""

import random
from itertools import pairwise

import pytest
import torch
from skimage import data

from semcodec.bpg import Bpg
from semcodec.bpg.bits import START_CODE, BitReader, split_nals, unescape
from semcodec.bpg.colour import rgb_to_ycbcr
from semcodec.bpg.container import parse_header
from semcodec.bpg.hevc_syntax import CodingTools, video_parameter_set
from semcodec.bpg.pictures import decode_picture, encode_picture
from semcodec.errors import BudgetError, DecodeError
from semcodec.metrics import psnr

SIZES = [(96, 120), (33, 47), (32, 32), (16, 16), (17, 8), (9, 13), (7, 50), (8, 8), (1, 1)]


def photo(height: int = 96, width: int = 120) -> torch.Tensor:
    crop = data.astronaut()[40 : 40 + height, 190 : 190 + width]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1).contiguous()


def slice_qp(pps_nal: bytes, slice_nal: bytes, *, has_chroma: bool) -> int:
    """26 + init_qp_minus26 + slice_qp_delta, clauses 7.3.2.3.1 and 7.3.6.1."""
    pps = BitReader(unescape(pps_nal)[2:])
    pps.ue(), pps.ue()
    assert pps.u(1 + 1 + 3) == 0  # dependent slices, output flag, extra slice header bits
    pps.u(1 + 1)
    pps.ue(), pps.ue()
    init_qp = 26 + pps.se()
    header = BitReader(unescape(slice_nal)[2:])
    assert header.u(1) == 1  # the first slice of the picture
    header.u(1)
    assert (header.ue(), header.ue()) == (0, 2)  # PPS 0; an I slice
    header.u(2 if has_chroma else 1)  # SAO
    return init_qp + header.se()


@pytest.mark.parametrize("chroma", ["400", "420", "444"])
@pytest.mark.parametrize("qp", [0, 12, 27, 40, 51])
def test_slice_has_the_qp_that_was_asked_for(chroma: str, qp: int) -> None:
    file = Bpg(chroma, preset="medium").encode(photo(32, 32), qp)
    _, begin, end = parse_header(file)
    pps, picture = split_nals(START_CODE + file[begin:end])
    assert slice_qp(pps, picture, has_chroma=chroma != "400") == qp


@pytest.mark.parametrize("chroma", ["420", "444"])
@pytest.mark.parametrize("size", SIZES)
def test_round_trip_at_every_size(chroma: str, size: tuple[int, int]) -> None:
    codec, image = Bpg(chroma), photo(*size)
    image_hat = codec.decode(codec.encode(image, 8), *size)
    assert image_hat.dtype == torch.uint8
    assert image_hat.shape == image.shape
    assert psnr(image, image_hat) > (40 if chroma == "444" else 30)


def test_luma_only_keeps_a_grey_picture() -> None:
    grey = rgb_to_ycbcr(photo())[:1].expand(3, -1, -1).contiguous()
    image_hat = Bpg("400").decode(Bpg("400").encode(grey, 4), 96, 120)
    assert torch.equal(image_hat[0], image_hat[2])
    assert psnr(grey, image_hat) > 45


def test_parameter_sets_made_again_decode_like_the_encoders_own() -> None:
    planes = tuple(rgb_to_ycbcr(photo()))
    own = encode_picture(planes, chroma="444", qp=30, preset="medium", min_block=8)
    _, sps, *rest = split_nals(own)
    made = CodingTools.from_sps(sps).to_sps(120, 96, chroma="444")
    again = START_CODE.join((b"", video_parameter_set(), made, *rest))
    pictures = [decode_picture(s, chroma="444", height=96, width=120) for s in (own, again)]
    for ours, theirs in zip(*pictures, strict=True):
        assert torch.equal(ours, theirs)


def test_bytes_fall_and_error_grows_with_qp() -> None:
    image = photo()
    files = [Bpg().encode(image, qp) for qp in range(0, 52, 5)]
    assert all(len(a) > len(b) for a, b in pairwise(files))
    values = [psnr(image, Bpg().decode(file, 96, 120)) for file in files]
    assert all(a > b for a, b in pairwise(values))


@pytest.mark.parametrize(("size", "expected"), [((32, 32), 22), ((256, 384), 24)])
def test_header_is_the_same_for_every_picture_and_qp(size: tuple[int, int], expected: int) -> None:
    image = photo(*size)
    files = [Bpg().encode(x, qp) for x in (image, 255 - image) for qp in (30, 45)]
    assert {Bpg().header_bytes(file) for file in files} == {expected}
    assert len({file[:expected] for file in files}) == 1


def test_encoding_is_deterministic_and_its_own_start_code_is_removed() -> None:
    file = Bpg().encode(photo(), 30)
    assert file == Bpg().encode(photo(), 30)
    header, begin, _ = parse_header(file)
    assert (header.height, header.width, header.hevc_header.hex()) == (96, 120, "924740")
    assert file[begin : begin + 2] == b"\x44\x01"  # the PPS, at once


def test_file_of_another_chroma_format_is_decoded() -> None:
    file = Bpg("420").encode(photo(), 20)
    assert torch.equal(Bpg("444").decode(file, 96, 120), Bpg("420").decode(file, 96, 120))


def test_budget_is_kept_and_the_next_qp_exceeds_it() -> None:
    image = photo(32, 32)
    sizes = [len(Bpg().encode(image, qp)) for qp in range(52)]
    for budget in (150, 300, 900):
        file = Bpg().encode_to_budget(image, budget)
        qp = min(q for q in range(52) if sizes[q] <= budget)
        assert len(file) == sizes[qp] <= budget < sizes[qp - 1]
    with pytest.raises(BudgetError, match=f"at least {sizes[51]}, .* got 30"):
        Bpg().encode_to_budget(image, 30)


def test_wrong_size_truncation_and_other_files_are_refused() -> None:
    file = Bpg().encode(photo(32, 32), 30)
    with pytest.raises(DecodeError, match="must be 31 x 32, got 32 x 32"):
        Bpg().decode(file, 32, 31)
    for length in (0, 3, 10, 13, 20, 24):
        with pytest.raises(DecodeError):
            Bpg().decode(file[:length], 32, 32)
    with pytest.raises(DecodeError, match="must begin with 425047fb"):
        Bpg().decode(b"\xff\xd8\xff\xe0" + file, 32, 32)
    with pytest.raises(DecodeError, match="describe an HEVC picture"):
        Bpg().decode(file[:10] + b"\0\0\0" + file[13:], 32, 32)
    with pytest.raises(DecodeError, match="must hold a PPS and a slice"):
        Bpg().header_bytes(file[:18])


def test_a_parameter_set_in_the_data_cannot_change_the_size() -> None:
    file = Bpg().encode(photo(32, 32), 30)
    header, begin, _ = parse_header(file)
    tools = CodingTools.from_header(header.hevc_header)
    for sides in ((8, 8), (8192, 8192)):
        sps = tools.to_sps(*sides, chroma="444")
        data = file[:begin] + sps + START_CODE + file[begin:]
        with pytest.raises(DecodeError, match="HEVC"):
            Bpg().decode(data, 32, 32)


def test_damaged_files_give_a_picture_or_a_decode_error(capfd: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(3)
    codec = Bpg(preset="fast")
    files = [codec.encode(photo(32, 40), qp) for qp in (20, 35)]
    pictures = 0
    for _ in range(600):
        data = bytearray(rng.choice(files))
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            image_hat = codec.decode(bytes(data[: rng.randrange(20, 4000)]), 32, 40)
        except DecodeError:
            continue
        assert image_hat.shape == (3, 32, 40)
        pictures += 1
    assert 0 < pictures < 600
    assert capfd.readouterr() == ("", "")


def test_codec_refuses_unknown_settings() -> None:
    with pytest.raises(ValueError, match="chroma must be '400', '420' or '444', got '422'"):
        Bpg("422")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"preset must be one of .* got 'best'"):
        Bpg(preset="best")
    with pytest.raises(ValueError, match=r"QP in \[0, 51\], got 52"):
        Bpg().encode(photo(), 52)
    with pytest.raises(ValueError, match="image must be uint8"):
        Bpg().encode(photo().float(), 30)
