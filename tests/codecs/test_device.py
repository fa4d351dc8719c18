"""Codecs on another device than the processor.

A GPU cannot be counted on. Under torch's `FakeTensorMode` tensors have a shape and a device but no
values, and an operation on two devices is refused as on a GPU: so every step of a codec is gone
through with its network elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode

from semcodec.device import CPU, described, device_of, find_device
from semcodec.errors import CodecError
from semcodec.lpips import Lpips, _shapes
from semcodec.photo.jscc_codec import JsccCodec
from semcodec.photo.moc_rvq_codec import MocRvqCodec
from semcodec.photo.unet_jscc_codec import UNetJsccCodec
from semcodec.photo.vq_deepsc_codec import VqDeepScCodec
from semcodec.system32.codec import SystemCodec
from semcodec.vq.codec import VqVaeCodec

ELSEWHERE = torch.device("lazy", 0)  # a device that any build of torch knows

Load = Callable[[], Any]


@pytest.fixture
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No values; where a check asks for one, such as an index's range, it is 0."""
    number = Tensor.__int__

    def number_or_zero(tensor: Tensor) -> int:
        try:
            return number(tensor)
        except DataDependentOutputException:
            return 0

    monkeypatch.setattr(Tensor, "__int__", number_or_zero)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    yield
    torch.__future__.set_overwrite_module_params_on_conversion(False)


@pytest.mark.usefixtures("_fake")
def test_operands_on_two_devices_are_refused() -> None:
    codec = MocRvqCodec.load("moc-rvq")
    with FakeTensorMode(allow_non_fake_inputs=True):
        codec.network.to(ELSEWHERE)
        with pytest.raises(RuntimeError, match="found at least two devices, cpu and lazy:0"):
            codec.network.encode(torch.zeros(1, 3, 16, 16))


@pytest.mark.usefixtures("_fake")
@pytest.mark.parametrize(
    "load",
    [
        lambda: VqVaeCodec.load("vqvae-f8-k1024"),
        lambda: VqDeepScCodec.load("vq-deepsc4"),
        lambda: MocRvqCodec.load("moc-rvq"),
        lambda: JsccCodec.load("jscc-96"),
        lambda: UNetJsccCodec.load("unet-deepjscc"),
        lambda: SystemCodec.load("cifar-vq"),
    ],
    ids=["vq", "vq_deepsc", "moc_rvq", "jscc", "unet_jscc", "system"],
)
def test_what_goes_in_and_comes_out_lies_on_the_processor(load: Load) -> None:
    here, there = load(), load()
    image = torch.randint(0, 256, (3, 44, 60), dtype=torch.uint8)
    expected = here.encode(image)
    with FakeTensorMode(allow_non_fake_inputs=True):
        network = there.system if isinstance(there, SystemCodec) else there.network
        network.to(ELSEWHERE)
        assert device_of(network) == ELSEWHERE
        found = there.encode(torch.zeros_like(image))
        assert (found.device, found.dtype) == (CPU, expected.dtype)
        assert found.shape == expected.shape
        decoded = there.decode(found, 44, 60)
        assert (decoded.device, decoded.dtype) == (CPU, torch.uint8)
        assert decoded.shape == image.shape
        if not isinstance(there, JsccCodec | UNetJsccCodec):
            moved = there.displacement(found, found)
            assert (moved.device, moved.shape) == (CPU, found.shape)


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_lpips(net: Any) -> None:
    weights = {name: torch.rand(shape) for name, shape in _shapes(net).items()}
    with FakeTensorMode(allow_non_fake_inputs=True):
        there = Lpips(net, {name: torch.empty(w.shape) for name, w in weights.items()})
        there = there.on(ELSEWHERE)
        assert {tensor.device for tensor in there.weights.values()} == {ELSEWHERE}
        images = torch.zeros(1, 3, 64, 64)
        with pytest.raises(RuntimeError, match="found at least two devices"):
            Lpips.distance(there, images, images.to(ELSEWHERE))
        distance = there.distance(images.to(ELSEWHERE), images.to(ELSEWHERE))
        assert (distance.device, distance.shape) == (ELSEWHERE, (1,))


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("cpu") == find_device("auto") == CPU
    with pytest.raises(CodecError, match=r"^device must be cpu where torch finds no GPU, got cuda"):
        find_device("cuda")
    with pytest.raises(ValueError, match=r"^device must be cpu, cuda or auto, got tpu$"):
        find_device("tpu")


def test_a_gpu_computes_in_float32_and_in_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic
    try:
        cudnn.allow_tf32 = cudnn.benchmark = True
        assert find_device("cpu") == CPU
        assert cudnn.allow_tf32
        assert find_device("cuda") == find_device("auto") == torch.device("cuda")
        assert (matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark) == (False, False, False)
        assert cudnn.deterministic
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark, cudnn.deterministic = before


def test_what_computes_is_named() -> None:
    assert described(CPU) == torch.backends.cpu.get_cpu_capability()
    assert described(ELSEWHERE) == "lazy"
