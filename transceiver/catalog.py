"""What is at hand: scenarios, weights, picture files. Imports neither torch nor the packages."""

import json
import os
from importlib.util import find_spec
from pathlib import Path

from transceiver.scenario.load import ScenarioError, user_path

PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff", ".gif"}
)

CODES = {
    "none": "uncoded",
    "ieee80211n": "LDPC, n 648, 1296, 1944; rate 1/2, 2/3, 3/4, 5/6",
    "dvbs2": "LDPC, n 16200, 64800; rate 1/4 to 9/10",
    "nr": "5G NR LDPC, k 12 to 8448, any n with k/n at most 0.95",
    "gallager": "small regular LDPC code from a seed; n, column_weight, row_weight",
    "polar": "5G NR polar code, k 20 to 1013, n up to 1088; direction uplink, downlink",
    "convolutional": "k; rate 1/2, 1/3; constraint_length 3 to 8; terminate",
    "turbo": "k 40 to 6144; rate 1/3, 1/2; constraint_length 3 to 6 (4 is LTE's); terminate",
}
MODULATIONS = {
    "psk": "order 2, 4, 8",
    "qam": "order 4, 16, 64, 256, 1024, 4096; axes interleaved, split",
    "cross_qam": "order 32, 128",
}
CHANNELS = {
    "awgn": "white Gaussian noise",
    "rayleigh": "fading symbol, image or {block: n}",
    "rician": "k_factor (linear); fading symbol, image or {block: n}",
    "tdl": "multipath of TR 38.901 behind OFDM; model A to E, A30, ...; domain frequency, time",
    "bsc": "binary symmetric, on coded bits; sweep over flip_probability",
}
CODECS = {
    "vq": "trained VQ-VAE; weights: a shipped name or a .safetensors file",
    "vq_deepsc": "VQ-DeepSC, indices of several scales; weights",
    "moc_rvq": "MOC-RVQ, octonary indices; weights; levels; nrb",
    "unet_jscc": "UNet-DeepJSCC, analog; weights",
    "jscc": "JSCC-96, analog; weights",
    "system32": "system for small pictures; weights; plan jcamp, jcap; stream; decode hard, soft",
    "bpg": "chroma 444, 420; budget",
    "jpeg": "chroma 444, 420; budget",
    "webp": "budget",
    "plugin": "a codec of your own: name, of a package or with file; options; budget",
    "torch_program": "programs of torch.export: encoder, decoder; sends indices, values; bits",
    "tensorflow": "a SavedModel with encode, decode: model; sends indices, values; bits",
    "bits": "random bits instead of images",
}


def scenario_folder() -> Path:
    """The shipped scenarios: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parent / "scenarios"


def scenarios() -> dict[str, Path]:
    """Shipped scenarios by name: the path below the folder, without the suffix."""
    folder = scenario_folder()
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }


def find_scenario(name_or_path: str) -> Path:
    """A scenario file by path, or a shipped one by name."""
    path = user_path(name_or_path)
    if path.suffix:
        return path
    shipped = scenarios()
    if name_or_path not in shipped:
        raise ScenarioError(
            f"scenario must be a .yaml file or one of {', '.join(shipped)}; got {name_or_path}"
        )
    return shipped[name_or_path]


def weights() -> dict[str, Path]:
    """Shipped weights by name."""
    files = (_semcodec() / "pretrained").glob("*.safetensors")
    return {path.stem: path for path in sorted(files, key=lambda path: path.stem)}


def describe_weights(path: Path) -> str:
    """What a weight file says of itself: kind, size, training, and PSNR on held-out pictures.

    Reads the header of the file only: eight bytes of length, then JSON (safetensors).
    """
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    metadata = header["__metadata__"]
    training = json.loads(metadata["training"])
    config = json.loads(metadata["config"])
    data = training.get("data") or ", ".join(training["recipe"]["data"]["train"])
    psnr = [value for name, value in training.items() if name.startswith("psnr_db")]
    return (
        f"{config.get('trained_as', metadata['model'])}, {path.stat().st_size / 1e6:.2f} MB; "
        f"{training['pictures']} pictures of {data}, {training['step']} steps; "
        f"held-out PSNR {' '.join(f'{value:.2f}' for value in psnr)} dB"
    )


def find_weights(name_or_path: str, *, key: str) -> Path:
    """The file of shipped weights or of a path; ``key`` is named where there is none."""
    if name_or_path.endswith(".safetensors"):
        path = user_path(name_or_path)
        if path.is_file():
            return path
    elif name_or_path in weights():
        return weights()[name_or_path]
    shipped = ", ".join(weights()) or "none"
    raise ScenarioError(
        f"{key}: must be shipped weights ({shipped}) or an existing .safetensors file, "
        f"got {name_or_path}"
    )


def picture_paths(folder: Path) -> list[Path]:
    """The picture files of a folder, in the order of their names."""
    if not folder.is_dir():
        raise ScenarioError(f"images.path: must be a folder of pictures, got {folder}")
    found = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file()
    )
    if not found:
        raise ScenarioError(f"images.path: must hold pictures (.png, .jpg, ...), got {folder}")
    return found


def _semcodec() -> Path:
    spec = find_spec("semcodec")
    if spec is None or not spec.submodule_search_locations:
        raise ScenarioError("the package semcodec must be installed beside transceiver")
    return Path(os.fspath(spec.submodule_search_locations[0]))
