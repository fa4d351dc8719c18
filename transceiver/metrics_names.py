"""The names of metrics in tables and figures; without torch."""

from transceiver.scenario.document import Lpips, MetricSection

LABELS = {
    "psnr": "PSNR [dB]",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (AlexNet), lower is better",
    "lpips_squeeze": "LPIPS (SqueezeNet), lower is better",
}


def metric_name(section: MetricSection) -> str:
    """The column of a metric."""
    if isinstance(section, Lpips):
        return f"lpips_{section.net}"
    return "lpips_alex" if section == "lpips" else section
