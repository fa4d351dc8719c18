"""PatchGAN: which patches of a picture look like a photograph, and the losses of both sides.

Sources: Isola et al., "Image-to-image translation with conditional adversarial networks" (2017),
appendix 6.1.2; Fu et al., "Vector quantized semantic communication system" (2023), section IV and
eq. 7.
"""

from torch import Tensor, nn
from torch.nn import functional as F

PAPER_CHANNELS = (64, 128, 256, 512)
"""Feature maps after the first four convolutions, width 1."""


class PatchDiscriminator(nn.Module):
    """Five 4 x 4 convolutions, the first three of stride 2.

    Each logit judges a patch of 70 x 70 pixels. LeakyReLU of slope 0.2 between the convolutions,
    batch normalisation after the middle three.
    """

    def __init__(self, *, width: float = 1.0) -> None:
        """Fresh weights from torch's global generator.

        Args:
            width: Multiple of the channels (64, 128, 256, 512); a multiple of 1/64.
        """
        super().__init__()
        if width <= 0 or width * 64 % 1:
            raise ValueError(f"width must be a positive multiple of 1/64, got {width}")
        first, *rest = (int(width * channels) for channels in PAPER_CHANNELS)
        layers: list[nn.Module] = [
            nn.Conv2d(3, first, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        inputs = first
        for outputs, stride in zip(rest, (2, 2, 1), strict=True):
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, 1, 4, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits ``[B, 1, H/8 - 2, W/8 - 2]`` of pictures ``[B, 3, H, W]`` in [0, 1].

        Positive means a photograph; sides are multiples of 8, at least 24.
        """
        return self.layers(2 * pictures - 1)  # type: ignore[no-any-return]


def discriminator_loss(real_logits: Tensor, *, fake_logits: Tensor) -> Tensor:
    """-(mean log D(I) + mean log(1 - D(I_hat))) / 2, D the sigmoid of the logits.

    The negative of eq. 7, halved as by Isola et al., section 3.3. Scalar, least 0; ln 2 for a
    discriminator that cannot tell.

    >>> import torch
    >>> round(float(discriminator_loss(torch.zeros(1), fake_logits=torch.zeros(2, 3))), 4)
    0.6931
    """
    # log sigmoid(x) = -softplus(-x) and log(1 - sigmoid(x)) = -softplus(x)
    return (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()) / 2


def generator_loss(fake_logits: Tensor) -> Tensor:
    """-mean log D(I_hat): binary cross entropy with the label of a photograph.

    Eq. 7 would have the generator minimise log(1 - D), whose gradient vanishes when the
    discriminator is sure; this is the usual replacement (Goodfellow et al., 2014, section 3).

    >>> import torch
    >>> round(float(generator_loss(torch.tensor([[0.0]]))), 4)
    0.6931
    """
    return F.softplus(-fake_logits).mean()
