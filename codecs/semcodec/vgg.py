"""Features of VGG19, trained on ImageNet: what MOC-RVQ's autoencoder is guided by.

Source: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition",
ICLR 2015, configuration E, up to the fourth convolution of the fourth stage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from semcodec.errors import WeightsError

STRIDE = 8
CHANNELS = 512

# (index in torchvision's `features`, channels in, channels out); a stage is pooled before the next
_STAGES = (
    ((0, 3, 64), (2, 64, 64)),
    ((5, 64, 128), (7, 128, 128)),
    ((10, 128, 256), (12, 256, 256), (14, 256, 256), (16, 256, 256)),
    ((19, 256, 512), (21, 512, 512), (23, 512, 512), (25, 512, 512)),
)
# ImageNet's mean and standard deviation, for samples in [0, 1]
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Vgg19:
    """The features of pictures; weights are never trained.

    Attributes:
        weights: float32 tensors, torchvision's ``features.*`` up to ``features.25``.
    """

    weights: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        """Refuse weights that are missing or of another shape."""
        for name, shape in _shapes().items():
            if name not in self.weights:
                raise WeightsError(f"VGG19 weights must hold {name}, got none")
            if tuple(self.weights[name].shape) != shape:
                came = list(self.weights[name].shape)
                raise WeightsError(f"VGG19 weight {name} must be {list(shape)}, got {came}")

    @staticmethod
    def load(path: Path) -> "Vgg19":
        """Read torchvision's .pth, or the same tensors as .safetensors.

        Raises:
            WeightsError: The file cannot be read, or is of another network.
        """
        try:
            if path.suffix == ".safetensors":
                tensors = load_file(path)
            else:
                tensors = torch.load(path, map_location="cpu", weights_only=True)
            found = {name: tensors[name].float() for name in _shapes() if name in tensors}
        except Exception as error:  # two libraries, each with errors of its own for damaged files
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise WeightsError(f"VGG19 weights must be readable, got {path}: {reason}") from error
        return Vgg19(found)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Features ``[B, 512, H / 8, W / 8]`` of pictures ``[B, 3, H, W]`` in [0, 1]."""
        mean = pictures.new_tensor(_MEAN).reshape(3, 1, 1)
        x = (pictures - mean) / pictures.new_tensor(_DEVIATION).reshape(3, 1, 1)
        for stage, convolutions in enumerate(_STAGES):
            if stage:
                x = max_pool2d(x, kernel_size=2)
            for index, _, _ in convolutions:
                weight, bias = (self.weights[f"features.{index}.{part}"] for part in _PARTS)
                x = relu(conv2d(x, weight.to(x), bias.to(x), padding=1))
        return x


_PARTS = ("weight", "bias")


def _shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for index, inputs, outputs in (one for stage in _STAGES for one in stage):
        shapes[f"features.{index}.weight"] = (outputs, inputs, 3, 3)
        shapes[f"features.{index}.bias"] = (outputs,)
    return shapes
