"""LPIPS v0.1: a distance between images in the features of a network trained on ImageNet.

Per layer l of the backbone, features are normalised to unit length over the channels; then

    d = sum_l mean_{h,w} sum_c w_l[c] (f_l[c, h, w] - f0_l[c, h, w])**2

Sources: Zhang, Isola, Efros, Shechtman, Wang, "The unreasonable effectiveness of deep features as a
perceptual metric", CVPR 2018, eq. 1; Krizhevsky, "One weird trick for parallelizing convolutional
neural networks", 2014 (AlexNet); Iandola et al., "SqueezeNet", 2016, in its version 1.1.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from semcodec.codec import Image
from semcodec.device import CPU
from semcodec.errors import WeightsError
from semcodec.image_io import require_image
from semcodec.weights_path import LpipsNet, find_backbone

# (index in torchvision's `features`, [out, in, k, k], stride, padding)
_ALEX_CONVOLUTIONS = (
    (0, (64, 3, 11, 11), 4, 2),
    (3, (192, 64, 5, 5), 1, 2),
    (6, (384, 192, 3, 3), 1, 1),
    (8, (256, 384, 3, 3), 1, 1),
    (10, (256, 256, 3, 3), 1, 1),
)
# (index, channels in, squeezed, expanded by each of the two branches)
_FIRES = (
    (3, 64, 16, 64), (4, 128, 16, 64), (6, 128, 32, 128), (7, 256, 32, 128),
    (9, 256, 48, 192), (10, 384, 48, 192), (11, 384, 64, 256), (12, 512, 64, 256),
)  # fmt: skip
_POOLED_BEFORE: dict[LpipsNet, tuple[int, ...]] = {"alex": (3, 6), "squeeze": (3, 6, 9)}
_SQUEEZE_TAPS = (4, 7, 9, 10, 11, 12)  # fires whose output is compared, after the first layer
_MIN_SIDE: dict[LpipsNet, int] = {"alex": 31, "squeeze": 17}

CHUNK = 64
"""Small images that go through the network together."""

SMALL_AREA = 64 * 64
"""Pixels of an image up to which it is small."""

# ImageNet's mean and standard deviation, for samples in [-1, 1]
_MEAN = (-0.030, -0.088, -0.188)
_DEVIATION = (0.458, 0.448, 0.450)


@dataclass(frozen=True)
class Lpips:
    """The distance with one backbone.

    Attributes:
        net: "alex" (what papers report) or "squeeze" (smaller).
        weights: float32 tensors: torchvision's ``features.*`` and ``lin{k}.weight [channels]``.
        device: Where images are compared; the weights should be there, see `on`.
    """

    net: LpipsNet
    weights: Mapping[str, Tensor]
    device: torch.device = CPU

    def __post_init__(self) -> None:
        """Refuse weights that are missing or of another shape."""
        for name, shape in _shapes(self.net).items():
            if name not in self.weights:
                raise WeightsError(f"LPIPS weights for {self.net} must hold {name}, got none")
            if tuple(self.weights[name].shape) != shape:
                raise WeightsError(
                    f"LPIPS weight {name} must be {list(shape)}, "
                    f"got {list(self.weights[name].shape)}"
                )

    @staticmethod
    def load(net: LpipsNet, path: Path) -> "Lpips":
        """Read .npz, .safetensors or .pth weights (see `find_lpips_weights`).

        A file that holds only linear layers, such as ``alex.pth`` of the LPIPS project with its
        keys ``lin{k}.model.1.weight``, is completed by torchvision's file of the backbone.

        Raises:
            WeightsError: The file cannot be read, or is of another network.
        """
        tensors = _read(path)
        kinds = {name.split(".")[0].rstrip("0123456789") for name in tensors}
        if "lin" in kinds and "features" not in kinds:
            tensors |= _read(find_backbone(net, path))
        weights = {}
        for name in _shapes(net):
            tensor = tensors.get(name)
            if tensor is None and name.startswith("lin"):
                tensor = tensors.get(name.replace(".weight", ".model.1.weight"))
            if tensor is not None:
                weights[name] = (tensor.flatten() if name.startswith("lin") else tensor).float()
        return Lpips(net, weights)

    def on(self, device: torch.device) -> "Lpips":
        """The same on a device."""
        weights = {name: tensor.to(device) for name, tensor in self.weights.items()}
        return replace(self, weights=weights, device=device)

    def __call__(self, reference: Image, image: Image) -> float:
        """The distance of two images uint8 ``[3, H, W]``; 0 for identical ones."""
        return self.each([reference], [image])[0]

    def each(self, references: Sequence[Image], images: Sequence[Image]) -> list[float]:
        """The distances of many pairs of one size.

        Small images go through the network in groups, which always have `CHUNK` images, the last
        one filled up: a distance does not depend on what else is asked for.
        """
        for image in (*references, *images):
            require_image(image)
            self._require_size(references[0].shape, image.shape)
        chunk = CHUNK if images and images[0].shape[1:].numel() <= SMALL_AREA else 1
        found: list[float] = []
        for start in range(0, len(images), chunk):
            members = range(start, min(start + chunk, len(images)))
            pair = torch.zeros(2, chunk, *images[start].shape)
            for row, member in enumerate(members):
                pair[0, row], pair[1, row] = references[member], images[member]
            with torch.no_grad():
                distances = self.distance(*(pair.to(self.device) / 255))
            found += distances[: len(members)].tolist()
        return found

    def distance(self, reference: Tensor, image: Tensor) -> Tensor:
        """The distances ``[n]`` of images ``[n, 3, H, W]``, float in [0, 1]; differentiable."""
        self._require_size(reference.shape, image.shape)
        total = image.new_zeros(image.shape[0])
        layers = zip(self._features(reference), self._features(image), strict=True)
        for index, (f0, f) in enumerate(layers):
            weight = self._weight(f"lin{index}.weight", image).reshape(1, -1, 1, 1)
            difference = _unit(f) - _unit(f0)
            total = total + (weight * difference * difference).sum(1).mean((1, 2))
        return total

    def _require_size(self, reference: torch.Size, image: torch.Size) -> None:
        if reference != image or min(image[-2:]) < _MIN_SIDE[self.net]:
            raise ValueError(
                f"images must be of one size with sides of at least {_MIN_SIDE[self.net]}, "
                f"got {list(reference)} and {list(image)}"
            )

    def _features(self, image: Tensor) -> list[Tensor]:
        """The compared layers ``[n, channels, h, w]`` of images ``[n, 3, H, W]`` in [0, 1]."""
        mean = image.new_tensor(_MEAN).reshape(3, 1, 1)
        deviation = image.new_tensor(_DEVIATION).reshape(3, 1, 1)
        run = self._alex if self.net == "alex" else self._squeeze
        return run((2 * image - 1 - mean) / deviation)

    def _alex(self, x: Tensor) -> list[Tensor]:
        taps = []
        for index, _, stride, padding in _ALEX_CONVOLUTIONS:
            if index in _POOLED_BEFORE["alex"]:
                x = max_pool2d(x, kernel_size=3, stride=2)
            x = self._convolve(x, f"features.{index}", stride=stride, padding=padding)
            taps.append(x)
        return taps

    def _squeeze(self, x: Tensor) -> list[Tensor]:
        x = self._convolve(x, "features.0", stride=2, padding=0)
        taps = [x]
        for index, *_ in _FIRES:
            if index in _POOLED_BEFORE["squeeze"]:
                x = max_pool2d(x, kernel_size=3, stride=2, ceil_mode=True)
            x = self._convolve(x, f"features.{index}.squeeze", stride=1, padding=0)
            narrow = self._convolve(x, f"features.{index}.expand1x1", stride=1, padding=0)
            wide = self._convolve(x, f"features.{index}.expand3x3", stride=1, padding=1)
            x = torch.cat((narrow, wide), dim=1)
            if index in _SQUEEZE_TAPS:
                taps.append(x)
        return taps

    def _convolve(self, x: Tensor, name: str, *, stride: int, padding: int) -> Tensor:
        weight, bias = self._weight(f"{name}.weight", x), self._weight(f"{name}.bias", x)
        return relu(conv2d(x, weight, bias, stride=stride, padding=padding))

    def _weight(self, name: str, like: Tensor) -> Tensor:
        return self.weights[name].to(like)


def _unit(features: Tensor) -> Tensor:
    """Unit length over the channels; 1e-10 keeps a zero vector zero, as in the authors' code."""
    return features / (torch.sqrt((features * features).sum(1, keepdim=True)) + 1e-10)


def _shapes(net: LpipsNet) -> dict[str, tuple[int, ...]]:
    """The names and shapes of all weights of a network."""
    shapes: dict[str, tuple[int, ...]] = {}
    if net == "alex":
        for index, shape, _, _ in _ALEX_CONVOLUTIONS:
            shapes[f"features.{index}.weight"] = shape
        channels = [shape[0] for _, shape, _, _ in _ALEX_CONVOLUTIONS]
    else:
        shapes["features.0.weight"] = (64, 3, 3, 3)
        for index, inputs, squeezed, expanded in _FIRES:
            fire = f"features.{index}"
            shapes[f"{fire}.squeeze.weight"] = (squeezed, inputs, 1, 1)
            shapes[f"{fire}.expand1x1.weight"] = (expanded, squeezed, 1, 1)
            shapes[f"{fire}.expand3x3.weight"] = (expanded, squeezed, 3, 3)
        channels = [64] + [2 * fire[3] for fire in _FIRES if fire[0] in _SQUEEZE_TAPS]
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    linear = {f"lin{index}.weight": (count,) for index, count in enumerate(channels)}
    return shapes | biases | linear


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors of a weights file, by its suffix."""
    readers: dict[str, Callable[[Path], dict[str, Tensor]]] = {
        ".npz": _read_npz,
        ".safetensors": load_file,
        ".pth": lambda file: torch.load(file, map_location="cpu", weights_only=True),
    }
    if path.suffix not in readers:
        raise WeightsError(f"LPIPS weights must be {', '.join(readers)}, got {path}")
    try:
        content = readers[path.suffix](path)
        return {name: tensor for name, tensor in content.items() if isinstance(tensor, Tensor)}
    except Exception as error:  # four libraries, each with errors of its own for damaged files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"LPIPS weights must be readable, got {path}: {reason}") from error


def _read_npz(path: Path) -> dict[str, Tensor]:
    with path.open("rb") as file, np.load(file) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}
