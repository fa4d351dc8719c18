"""JSCC-96 as an analog codec."""

from dataclasses import dataclass

import torch

from semcodec import weights
from semcodec.codec import Image, Values
from semcodec.device import device_of
from semcodec.photo.jscc import JsccNetwork
from semcodec.photo.vqgan import VqganConfig
from semcodec.pixels import to_bytes, to_unit
from semcodec.restore import restore

MODEL = "jscc"


@dataclass(frozen=True)
class JsccCodec:
    """The latents of the autoencoder, cell by cell."""

    network: JsccNetwork
    sha256: str

    @staticmethod
    def load(name_or_path: str) -> "JsccCodec":
        """Load shipped weights by name, or a ``.safetensors`` file by path.

        Raises:
            WeightsError: There is no such file, or it does not hold this network.
        """
        path = weights.locate(name_or_path)
        content = weights.load(path, model=MODEL)
        return JsccCodec(restore(path, content, VqganConfig, JsccNetwork), content.sha256)

    def encode(self, image: Image) -> Values:
        """Values ``[n]`` of an image."""
        with torch.no_grad():
            picture = to_unit(image.to(device_of(self.network)))[None]
            values: Values = self.network.encode(picture)[0]
        return values.cpu()

    def decode(self, values: Values, height: int, width: int) -> Image:
        """The image ``[3, height, width]`` of values ``[n]``."""
        with torch.no_grad():
            there = values[None].to(device_of(self.network))
            return to_bytes(self.network.decode(there, height, width)[0]).cpu()
