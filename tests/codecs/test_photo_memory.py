"""A 2K picture through the shipped networks within 2 GB, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import torch
from semcodec.photo.{module} import {codec}
torch.set_num_threads(1)
codec = {codec}.load("{weights}")
ramp = torch.linspace(0, 255, 2048)[None, None].expand(3, 1080, -1)
noise = torch.randint(-20, 21, (3, 1080, 2048), generator=torch.Generator().manual_seed(1))
picture = (ramp + noise).clamp(0, 255).to(torch.uint8)
decoded = codec.decode(codec.encode(picture), 1080, 2048)
assert decoded.shape == picture.shape
error = (decoded.float() - picture.float()).abs().mean()
assert 0 < error < 40, error
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize(
    ("module", "codec", "weights"),
    [
        ("vq_deepsc_codec", "VqDeepScCodec", "vq-deepsc3"),
        ("moc_rvq_codec", "MocRvqCodec", "moc-rvq"),
    ],
)
def test_a_2k_picture_takes_less_than_2_gb(module: str, codec: str, weights: str) -> None:
    program = PROGRAM.format(module=module, codec=codec, weights=weights)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2 * 2**20  # KiB
