"""Two functions of tensors as a codec, and the VQ-VAE exported by torch.export as such."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data
from torch import Tensor, nn

from semcodec.errors import CodecError, WeightsError
from semcodec.program import Program, ProgramIndices, ProgramValues
from semcodec.torch_program import load_torch_program
from semcodec.vq.codec import VqVaeCodec
from semcodec.vq.vqvae import VqVae, VqVaeConfig

PHOTO = torch.from_numpy(data.astronaut()[40:93, 200:261].copy()).movedim(-1, 0).contiguous()


def _pooled(dtype: torch.dtype = torch.int32) -> Program:
    """Means of 4 x 4 pixels, rounded to 16 levels."""

    def encode(picture: Tensor) -> Tensor:
        return (nn.functional.avg_pool2d(picture, 4) * 15).round().to(dtype)

    def decode(sent: Tensor) -> Tensor:
        assert sent.dtype == dtype
        return nn.functional.interpolate(sent.float() / 15, scale_factor=4.0)

    return Program("pooled", encode, decode, "", multiple=4)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_sides_are_continued_and_cut_back(dtype: torch.dtype) -> None:
    codec = ProgramIndices(_pooled(dtype), bits=4)
    _, height, width = PHOTO.shape
    assert (height % 4, width % 4) == (1, 1)
    (run,) = codec.runs(height, width)  # before anything was encoded
    indices = codec.encode(PHOTO)
    assert (run.count, run.bits) == (3 * 14 * 16, 4) == (indices.numel(), 4)
    assert indices.dtype == torch.int64
    image = codec.decode(indices, height, width)
    assert image.shape == PHOTO.shape
    assert image.dtype == torch.uint8
    assert (image.float() - PHOTO.float()).abs().mean() < 20
    assert torch.equal(codec.decode(indices, height, width), image)


def test_displacement_counts_wrong_indices() -> None:
    codec = ProgramIndices(_pooled(), bits=4)
    sent, received = torch.tensor([1, 2, 3]), torch.tensor([1, 0, 3])
    assert codec.displacement(sent, received).tolist() == [0, 1, 0]


def test_values() -> None:
    codec = ProgramValues(_pooled(torch.float32))
    values = codec.encode(PHOTO)
    assert values.dtype == torch.float32
    assert values.shape == (3 * 14 * 16,)
    assert codec.decode(values, 53, 61).shape == PHOTO.shape


def _program(**changes: Any) -> Program:
    functions: dict[str, Any] = {"encode": lambda x: x.long(), "decode": lambda x: x.float()}
    functions |= changes
    return Program("net", functions["encode"], functions["decode"], "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encode": lambda x: x}, "integers where sends is indices, got float32"),
        ({"encode": lambda x: x > 0}, "integers where sends is indices, got bool"),
        ({"encode": lambda x: x[0].long()}, r"the encoder must return \[1, ...\], got \[3, 53"),
        ({"encode": lambda x: (x,)}, "the encoder must return one tensor, got tuple"),
        ({"encode": lambda x: x.nothing()}, r"take float32 \[1, 3, 53, 61\], got AttributeError"),
        ({"decode": lambda x: x.double()}, r"float32 \[1, 3, 53, 61\], got float64 \[1, 3, 53"),
        ({"decode": lambda x: x[..., 1:].float()}, r"float32 \[1, 3, 53, 61\], got .* 53, 60\]"),
        ({"decode": lambda x: x / x}, "must return numbers, got NaN"),
        ({"decode": lambda _: None}, "the decoder must return one tensor, got NoneType"),
    ],
)
def test_programs_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    codec = ProgramIndices(_program(**changes), bits=1)
    with pytest.raises(CodecError, match=f"^net: .*{message}"):
        codec.decode(codec.encode(PHOTO) * 0, 53, 61)


class Encoder(nn.Module):
    def __init__(self, network: VqVae) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        found: Tensor = self.network.codebook(self.network.encode(picture)).indices
        return found


class Decoder(Encoder):
    def forward(self, indices: Tensor) -> Tensor:
        return self.network.decode(self.network.codebook.lookup(indices))


@pytest.fixture(scope="module")
def network() -> VqVae:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = VqVae(VqVaeConfig(16, 4, (4, 4, 8), (1, 1), (1, 1, 1)))
    photograph = torch.from_numpy(data.astronaut()).movedim(-1, 0)[None].float() / 255
    with torch.no_grad():
        latents = network.encode(photograph)
    network.codebook.restart(latents, iterations=3, generator=torch.Generator().manual_seed(0))
    return network.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def files(network: VqVae, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The network's two halves, for pictures of any size from 16 x 16, sides multiples of 8."""
    folder = tmp_path_factory.mktemp("programs")
    rows, columns = (torch.export.Dim(name, min=2, max=64) for name in ("rows", "columns"))
    picture = torch.zeros(1, 3, 40, 48)
    parts: tuple[tuple[str, nn.Module, Tensor, dict[int, Any]], ...] = (
        ("encoder", Encoder(network), picture, {2: 8 * rows, 3: 8 * columns}),
        ("decoder", Decoder(network), torch.zeros(1, 5, 6).long(), {1: rows, 2: columns}),
    )
    for name, part, example, sizes in parts:
        program = torch.export.export(part.eval(), (example,), dynamic_shapes=(sizes,))
        torch.export.save(program, folder / f"{name}.pt2")
    return folder / "encoder.pt2", folder / "decoder.pt2"


def test_an_exported_network_is_the_network(network: VqVae, files: tuple[Path, Path]) -> None:
    program = load_torch_program(*files, name="net", multiple=8)
    codec, own = ProgramIndices(program, bits=4), VqVaeCodec(network, "")
    for image in (PHOTO, PHOTO[:, :16, :40].contiguous()):
        _, height, width = image.shape
        indices = codec.encode(image)
        assert (indices == own.encode(image)).float().mean() > 0.99  # memory formats may differ
        assert len(indices.unique()) > 3
        difference = codec.decode(indices, height, width).int() - own.decode(indices, height, width)
        assert difference.abs().max() <= 1
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    assert program.sha256 == hashlib.sha256(b"".join(digests)).hexdigest()
    with pytest.raises(CodecError, match=r"the encoder must take float32 \[1, 3, 53, 61\], got"):
        load_torch_program(*files, name="net", multiple=1).encode(PHOTO)


def test_files_that_are_no_programs(files: tuple[Path, Path], tmp_path: Path) -> None:
    encoder, decoder = files

    def refused(path: Path, message: str) -> None:
        with pytest.raises(WeightsError, match=message):
            load_torch_program(path, decoder, name="net", multiple=8)

    refused(tmp_path / "none.pt2", "none.pt2 must be a file of torch.export.save")
    (tmp_path / "text.pt2").write_text("text")
    refused(tmp_path / "text.pt2", "text.pt2 must be a file of torch.export.save")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.pt2")
    refused(tmp_path / "weights.pt2", "must be a program of torch.export.save that torch")
    shutil.copy(encoder, tmp_path / "cut.pt2")
    (tmp_path / "cut.pt2").write_bytes(encoder.read_bytes()[:-200])
    refused(tmp_path / "cut.pt2", "cut.pt2 must be a")
