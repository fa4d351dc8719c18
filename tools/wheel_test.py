"""Install the wheel into empty environments and use it as README says, far from the checkout.

    python tools/wheel_test.py                                  newest, then lowest dependencies
    python tools/wheel_test.py --python python3.12 newest       another interpreter, one of the two

``newest`` takes what the bounds of ``pyproject.toml`` allow at most, ``lowest`` the lower bounds of
all direct dependencies, as constraints; which versions came is compared with them. Uv installs
them if it is on the path or in the package index, else pip. The environments follow one another
and are deleted, as each takes gigabytes: on Linux the index's torch brings CUDA along.
``--torch-index`` names another index for torch (https://download.pytorch.org/whl/cpu).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]

DIRECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
"""Requirements such as ``numpy>=2.0,<3``."""

IMPORTED = """
import sys, torch
from phy.ldpc import Ieee80211n, two_tier
from phy.qam import qam
import phy, semcodec, transceiver
from semcodec.vq.codec import VqVaeCodec
for package in (phy, semcodec, transceiver):
    assert package.__file__.startswith(sys.prefix), package.__file__
code = Ieee80211n(648, "1/2")
info = torch.randint(2, (10, code.k), dtype=torch.uint8)
llrs = qam(16).demap(qam(16).map(code.encode(info)), noise_variance=0.1)
decoded = two_tier(code.graph, iterations=20).decode(code.rate_recover(llrs))
assert torch.equal(code.info(decoded.bits), info)
codec = VqVaeCodec.load("vqvae-f8-k1024")
assert codec.decode(codec.encode(torch.zeros(3, 16, 16, dtype=torch.uint8)), 16, 16).shape[0] == 3
print("imported from", sys.prefix)
"""


def name_of(requirement: str) -> str:
    """The package of a requirement.

    >>> name_of("scikit-image>=0.24,<0.27")
    'scikit-image'
    """
    return re.split(r"[<>=!~ \[]", requirement, maxsplit=1)[0]


def lowest(requirement: str) -> str:
    """A requirement pinned to its lower bound.

    >>> lowest("torch>=2.9,<3")
    'torch==2.9'
    """
    return f"{name_of(requirement)}=={requirement.split('>=')[1].split(',')[0]}"


def call(*words: object, cwd: Path | None = None, quiet: bool = False) -> str:
    """Run a command that must succeed; its output."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}\nexit code {done.returncode}")
    if not quiet:
        print(done.stdout.rstrip(), flush=True)
    return done.stdout


def install(
    wheel: Path, python: Path, where: Path, *, uv: Path | None, low: bool, index: str | None
) -> None:
    """The wheel with the newest or lowest direct dependencies into an environment."""
    bounds = where / "constraints.txt"
    bounds.write_text("\n".join(map(lowest, DIRECT)) if low else "")
    words: list[object] = [python, "-m", "pip", "install", "--upgrade"]
    if uv is not None:
        words = [uv, "pip", "install", "--python", python]
    words += ["--quiet", "--constraint", bounds]
    if index:
        words += ["--extra-index-url", index]
        words += ["--index-strategy", "unsafe-best-match"] if uv is not None else []
    call(*words, wheel, quiet=True)


def use(python: Path, folder: Path) -> None:
    """What README shows, from another folder."""
    command = python.with_name("transceiver")
    call(python, "-W", "error", "-c", IMPORTED, cwd=folder)
    assert "vqvae-f8-k1024" in call(command, "list", "weights", cwd=folder, quiet=True)
    call(command, "validate", "quickstart", cwd=folder)
    began = time.monotonic()
    table = call(command, "run", "quickstart", "--no-cache", cwd=folder, quiet=True)
    written = sorted(p.name for p in (folder / "runs" / "quickstart" / "figures").iterdir())
    assert {"psnr.png", "error_rates.png", "strip.png"} <= set(written), written
    assert all(re.search(rf"^ *{codec} +9 ", table, re.M) for codec in ("vq", "bpg", "jpeg")), table
    assert ": 21 rows" in call(command, "export", "runs/quickstart", cwd=folder, quiet=True)
    call(command, "report", "runs/quickstart", cwd=folder, quiet=True)
    print(f"quickstart: 21 rows, {len(written)} figures, {time.monotonic() - began:.0f} s")


def versions(python: Path) -> list[str]:
    """Those of the direct dependencies, as ``name==version``."""
    names = [name_of(requirement) for requirement in DIRECT]
    code = (
        "from importlib.metadata import version; "
        f"print(*(f'{{n}}=={{version(n)}}' for n in {names}), sep='\\n')"
    )
    return call(python, "-c", code, quiet=True).split()


def is_version(found: str, pinned: str) -> bool:
    """Whether a version is the one of a pin, which may end sooner; a build's name is no part of it.

    >>> is_version("torch==2.9.1+cpu", "torch==2.9.1"), is_version("rich==13.7.0", "rich==13.7")
    (True, True)
    >>> is_version("rich==13.70", "rich==13.7")
    False
    """
    return re.sub(r"\+.*$", "", found) == pinned or re.sub(r"(\.0)+$", "", found) == pinned


def find_uv(folder: Path) -> Path | None:
    """Uv from the path or the package index; None if it is in neither."""
    if found := shutil.which("uv"):
        return Path(found)
    own = folder / "uv"
    subprocess.run([sys.executable, "-m", "venv", own], check=True)
    done = subprocess.run([own / "bin" / "python", "-m", "pip", "install", "--quiet", "uv"])
    return own / "bin" / "uv" if done.returncode == 0 else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Test each environment asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("which", nargs="*", metavar="newest|lowest")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torch-index", default=None)
    chosen = parser.parse_args(arguments)
    which = chosen.which or ["newest", "lowest"]
    if unknown := set(which) - {"newest", "lowest"}:
        parser.error(f"must be newest or lowest, got {', '.join(sorted(unknown))}")
    with TemporaryDirectory(prefix="wheel-test-") as name:
        folder = Path(name)
        os.environ.setdefault("UV_CACHE_DIR", str(folder / "cache"))
        os.environ.setdefault("UV_SYSTEM_CERTS", "1")
        os.environ["XDG_CACHE_HOME"] = str(folder / "home")
        uv = find_uv(folder)
        call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder,
             ROOT, quiet=True)  # fmt: skip
        (wheel,) = folder.glob("*.whl")
        for one in which:
            environment, elsewhere = folder / "environment", folder / "elsewhere"
            elsewhere.mkdir()
            call(chosen.python, "-m", "venv", environment)
            python = environment / "bin" / "python"
            install(wheel, python, folder, uv=uv, low=one == "lowest", index=chosen.torch_index)
            found = versions(python)
            print(f"{one}: Python", *call(python, "-V", quiet=True).split()[1:], *found, flush=True)
            pinned = [lowest(requirement) for requirement in DIRECT]
            others = [f for f, p in zip(found, pinned, strict=True) if not is_version(f, p)]
            if one == "lowest" and others:
                sys.exit(f"must be the lowest versions, got {', '.join(others)}")
            use(python, elsewhere)
            shutil.rmtree(environment)
            shutil.rmtree(elsewhere)
            print(f"{wheel.name}, {one}: works", flush=True)


if __name__ == "__main__":
    main()
