"""UNet-DeepJSCC as an analog codec."""

from dataclasses import dataclass

import torch

from semcodec import weights
from semcodec.codec import Image, Values
from semcodec.device import device_of
from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
from semcodec.pixels import to_bytes, to_unit
from semcodec.restore import restore

MODEL = "unet-jscc"


@dataclass(frozen=True)
class UNetJsccCodec:
    """Values of the scales, the coarsest first."""

    network: UNetJsccNetwork
    sha256: str

    @staticmethod
    def load(name_or_path: str) -> "UNetJsccCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Raises:
            WeightsError: There is no such file, or it does not hold this network.
        """
        path = weights.locate(name_or_path)
        content = weights.load(path, model=MODEL)
        network = restore(path, content, UNetJsccConfig, UNetJsccNetwork)
        return UNetJsccCodec(network, content.sha256)

    def encode(self, image: Image) -> Values:
        """Values ``[n]`` of an image, one 0 more where their number is odd."""
        with torch.no_grad():
            picture = to_unit(image.to(device_of(self.network)))[None]
            values: Values = self.network.encode(picture)[0].cpu()
        return torch.nn.functional.pad(values, (0, len(values) % 2))

    def decode(self, values: Values, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of values ``[n]``."""
        count = self.network.value_count(height, width)
        if len(values) != count + count % 2:
            raise ValueError(
                f"values must be [{count + count % 2}] for {width} x {height} pixels, "
                f"got {list(values.shape)}"
            )
        with torch.no_grad():
            there = values[None, :count].to(device_of(self.network))
            return to_bytes(self.network.decode(there, height, width)[0]).cpu()
