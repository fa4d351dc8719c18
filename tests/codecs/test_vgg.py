"""VGG19's features against plain torch modules with random weights, and as MOC-RVQ's guide."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from semcodec.errors import WeightsError
from semcodec.photo.moc_rvq import MocRvqConfig
from semcodec.photo.vqgan import VqganConfig
from semcodec.training.moc_rvq_subject import MocRvqSubject
from semcodec.vgg import CHANNELS, STRIDE, Vgg19
from semcodec.weights_path import find_vgg19_weights

CONFIG = MocRvqConfig(VqganConfig(width=8, latent_channels=16, factors=(1, 1, 1, 1)), 2, 4)


def seeded(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.fixture(scope="module")
def layers() -> nn.Sequential:
    """torchvision's `features` up to relu4_4."""
    modules: list[nn.Module] = []
    channels = 3
    for count, width in ((2, 64), (2, 128), (4, 256), (4, 512)):
        if modules:
            modules.append(nn.MaxPool2d(2, 2))
        for _ in range(count):
            modules += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    torch.manual_seed(1)
    network = nn.Sequential(*modules)
    for module in network:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.uniform_(module.bias, -0.1, 0.1)
    return network


@pytest.fixture(scope="module")
def vgg(layers: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Vgg19:
    """Read from a file with more in it than is wanted, as torchvision's has."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19-random.pth"
    tensors = {f"features.{name}": tensor for name, tensor in layers.state_dict().items()}
    torch.save(tensors | {"classifier.0.bias": torch.zeros(3)}, path)
    return Vgg19.load(path)


def test_features_are_those_of_the_layers(vgg: Vgg19, layers: nn.Sequential) -> None:
    pictures = torch.rand(2, 3, 32, 48, generator=seeded(2))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = layers((pictures - mean[:, None, None]) / deviation[:, None, None])
        found = vgg(pictures)
    assert found.shape == (2, CHANNELS, 32 // STRIDE, 48 // STRIDE)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_files_are_found_and_refused(
    vgg: Vgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("SEMANTIC_TRANSCEIVER_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"VGG19 weights must lie in the folder .*, got no vgg1"):
        find_vgg19_weights()
    path = tmp_path / "vgg19-mine.safetensors"
    save_file(dict(vgg.weights), path)
    assert find_vgg19_weights() == path
    torch.testing.assert_close(Vgg19.load(path).weights, vgg.weights, rtol=0, atol=0)
    save_file(dict(vgg.weights) | {"features.25.bias": torch.zeros(511)}, path)
    with pytest.raises(WeightsError, match=r"features.25.bias must be \[512\], got \[511\]"):
        Vgg19.load(path)
    save_file({"features.0.bias": torch.zeros(64)}, path)
    with pytest.raises(WeightsError, match=r"must hold features.0.weight, got none"):
        Vgg19.load(path)
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"must be readable, got .*vgg19-mine.safetensors: "):
        Vgg19.load(path)


def test_the_guide_draws_the_latents_along(vgg: Vgg19) -> None:
    """Its convolution is trained, its value falls, and both go on from a checkpoint."""
    subject = MocRvqSubject(CONFIG, guide=(vgg, 0.1), seed=3)
    plain = MocRvqSubject(CONFIG, seed=3)
    pictures = torch.rand(2, 3, 32, 32, generator=seeded(4))
    optimizer = torch.optim.Adam(subject.parameters(), lr=1e-2)
    assert len(list(subject.parameters())) == len(list(plain.parameters())) + 2
    values = []
    for _ in range(8):
        passed = subject.train_pass(pictures, progress=0.0, generator=seeded(5))
        expected = 1e-3 * passed.values["power"] + 0.1 * passed.values["guidance"]
        assert passed.loss.item() == pytest.approx(expected, rel=1e-5)
        values.append(passed.values["guidance"])
        optimizer.zero_grad()
        passed.loss.backward()
        optimizer.step()
    assert values[-1] < 0.8 * values[0]
    assert all(tensor.grad is None for tensor in vgg.weights.values())

    again = MocRvqSubject(CONFIG, guide=(vgg, 0.1), seed=9)
    again.network.load_state_dict(subject.network.state_dict())
    again.load_state_dict(subject.state_dict())
    found, wanted = (
        one.train_pass(pictures, progress=0.0, generator=seeded(5)) for one in (again, subject)
    )
    assert found.values == wanted.values
    assert "guidance" not in plain.train_pass(pictures, progress=0.0, generator=seeded(5)).values

    subject.prepare(pictures, progress=0.5, generator=seeded(6))
    assert "guidance" in subject.train_pass(pictures, progress=0.5, generator=seeded(5)).values
