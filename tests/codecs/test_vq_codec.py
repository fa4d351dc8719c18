from pathlib import Path

import pytest
import torch

from semcodec import weights
from semcodec.errors import WeightsError
from semcodec.vq.codec import VqVaeCodec
from semcodec.vq.vqvae import VqVae, VqVaeConfig

TINY = {
    "codebook_size": 16,
    "latent_channels": 4,
    "channels": [4, 4, 8],
    "encoder_blocks": [1, 1],
    "decoder_blocks": [1, 1, 1],
}


def tiny_network() -> VqVae:
    torch.manual_seed(5)
    network = VqVae(VqVaeConfig(16, 4, (4, 4, 8), (1, 1), (1, 1, 1)))
    network.codebook.codewords.mul_(0.1)
    return network


def write(path: Path, *, drop: str = "", model: str = "vqvae", config: object = TINY) -> Path:
    tensors = {
        name: t
        for name, t in tiny_network().state_dict().items()
        if name not in ("codebook.counts", "codebook.sums", drop)
    }
    weights.save(path, tensors, model=model, config=config, training={"steps": 0})  # type: ignore[arg-type]
    return path


@pytest.fixture
def codec(tmp_path: Path) -> VqVaeCodec:
    return VqVaeCodec.load(str(write(tmp_path / "tiny.safetensors")))


def test_one_index_for_each_block_of_8_by_8_pixels(codec: VqVaeCodec) -> None:
    image = torch.randint(256, (3, 48, 80), dtype=torch.uint8)
    indices = codec.encode(image)
    assert indices.shape == (6 * 10,)
    assert indices.dtype == torch.int64
    assert 0 <= int(indices.min()) <= int(indices.max()) < 16
    (run,) = codec.runs(48, 80)
    assert (run.count, run.bits) == (60, 4)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (1, 1), (9, 17), (41, 63)])
def test_any_size_is_padded_and_cut_back(codec: VqVaeCodec, height: int, width: int) -> None:
    image = torch.randint(256, (3, height, width), dtype=torch.uint8)
    indices = codec.encode(image)
    assert len(indices) == -(-height // 8) * -(-width // 8)
    decoded = codec.decode(indices, height, width)
    assert decoded.shape == image.shape
    assert decoded.dtype == torch.uint8


def test_the_codec_is_the_network(codec: VqVaeCodec) -> None:
    image = torch.randint(256, (3, 16, 24), dtype=torch.uint8)
    with torch.no_grad():
        output, _, quantized = codec.network(image[None] / 255)
    assert torch.equal(codec.encode(image), quantized.indices.flatten())
    expected = (output[0].clamp(0, 1) * 255).round()
    decoded = codec.decode(codec.encode(image), 16, 24).float()
    assert (decoded - expected).abs().max() <= 1  # vectors + (z - z) may round the other way


def test_displacement_is_the_distance_of_codewords(codec: VqVaeCodec) -> None:
    words = codec.network.codebook.codewords
    sent, received = torch.tensor([3, 5]), torch.tensor([3, 9])
    moved = codec.displacement(sent, received)
    assert moved[0] == 0
    assert moved[1] == pytest.approx((words[5] - words[9]).square().sum().sqrt().item())


def test_wrong_number_of_indices_is_refused(codec: VqVaeCodec) -> None:
    with pytest.raises(ValueError, match=r"indices must be \[6\] for 24 x 16 pixels, got \[5\]"):
        codec.decode(torch.zeros(5, dtype=torch.int64), 16, 24)


def test_a_codebook_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="codebook_size must be a power of two, got 12"):
        VqVaeConfig(codebook_size=12)


def test_weights_survive_the_file_as_float16(tmp_path: Path) -> None:
    loaded = weights.load(write(tmp_path / "w.safetensors"), model="vqvae")
    original = tiny_network().state_dict()
    for name, tensor in loaded.tensors.items():
        assert torch.equal(tensor, original[name].half().float())
    assert loaded.training == {"steps": 0}


def test_missing_file_names_what_is_shipped() -> None:
    with pytest.raises(WeightsError, match=r"weights must be .* one of: .*; got nosuch"):
        VqVaeCodec.load("nosuch")


def test_damage_other_models_and_missing_tensors_are_refused(tmp_path: Path) -> None:
    damaged = write(tmp_path / "damaged.safetensors")
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(WeightsError, match=r"damaged.safetensors must have SHA-256"):
        VqVaeCodec.load(str(damaged))
    other = write(tmp_path / "other.safetensors", model="unet")
    with pytest.raises(WeightsError, match="must hold model vqvae version 1, got unet"):
        VqVaeCodec.load(str(other))
    part = write(tmp_path / "part.safetensors", drop="decoder.0.weight")
    with pytest.raises(WeightsError, match="missing"):
        VqVaeCodec.load(str(part))
    strange = write(tmp_path / "strange.safetensors", config={"heads": 3})
    with pytest.raises(WeightsError, match="must fit the network"):
        VqVaeCodec.load(str(strange))
    text = tmp_path / "text.safetensors"
    text.write_text("no tensors here")
    with pytest.raises(WeightsError, match="must be a safetensors file"):
        VqVaeCodec.load(str(text))
