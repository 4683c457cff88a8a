"""What has to be there for searches and experiments to run: each thing looked at, and how to mend it."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

MINIMUM_DISK = 2.0  # GB: checkpoints and NNI's logs
VERSIONS = {"torch": ((2, 4), (2, 14)), "nni": ((3, 0), (4, 0)), "pytorch-lightning": ((2, 4), (2, 7))}


@dataclass(frozen=True)
class Finding:
    """What a check found: ``state`` is "ok", "note" (works, but) or "fault"; ``remedy`` says how to mend a fault."""

    name: str
    state: str
    text: str
    remedy: str = ""


def examine(folder: Path) -> list[Finding]:
    """Look at everything; ``folder`` is where runs are to lie. A check that fails in an unexpected way is a fault."""
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        **{name: lambda name=name: _version(name) for name in VERSIONS},  # type: ignore[misc]
        "torchvision": _torchvision,
        "pkg_resources": _pkg_resources,
        "node": _node,
        "nnictl": _nnictl,
        "port": _port,
        "disk": lambda: _disk(folder),
        "gpu": _gpu,
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check())
        except Exception as error:  # whatever is broken in an installation, the other checks go on
            findings.append(Finding(name, "fault", f"{type(error).__name__}: {error}", "pip install --force-reinstall"))
    return findings


def _python() -> Finding:
    text = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return Finding("python", "ok", text)
    return Finding("python", "fault", text, "NNI 3.0 needs Python 3.10 to 3.12: make the environment with one of them")


def _version(name: str) -> Finding:
    low, high = VERSIONS[name]
    wanted = f"'{name}>={_dotted(low)},<{_dotted(high)}'"
    try:
        text = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "fault", "not installed", f"pip install {wanted}")
    number = tuple(int(part) for part in text.split("+")[0].split(".")[:2])
    if not low <= number < high:
        return Finding(
            name, "fault", f"{text}, tested are {_dotted(low)} up to before {_dotted(high)}", f"pip install {wanted}"
        )
    importlib.import_module(name.replace("-", "_"))
    return Finding(name, "ok", text)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _torchvision() -> Finding:
    import torch
    import torchvision

    if torchvision.extension._has_ops():
        return Finding("torchvision", "ok", f"{torchvision.__version__}, with its compiled operators")
    built = "CPU" if torch.version.cuda is None else f"CUDA {torch.version.cuda}"
    return Finding(
        "torchvision",
        "note",
        f"{torchvision.__version__} is not built for this torch ({built}): its operators are missing. nas_ctx does "
        "without them; other packages may not",
        "install torch and torchvision from the same index",
    )


def _pkg_resources() -> Finding:
    try:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("pkg_resources")
    except ModuleNotFoundError:
        return Finding("pkg_resources", "fault", "missing, and nnictl imports it", "pip install 'setuptools<81'")
    return Finding("pkg_resources", "ok", f"of setuptools {metadata.version('setuptools')}")


def _node() -> Finding:
    import nni_node

    node = Path(nni_node.__path__[0]) / "node"
    if not node.exists():
        return Finding("node", "fault", f"{node}: missing", "pip install --force-reinstall nni")
    done = subprocess.run([str(node), "--version"], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return Finding(
            "node", "fault", f"NNI's node does not start: {said}", "install libstdc++ of your system, or nni anew"
        )
    return Finding("node", "ok", f"NNI's own, {done.stdout.strip()}")


def _nnictl() -> Finding:
    path = Path(sys.executable).parent / "nnictl"
    if path.exists():
        return Finding("nnictl", "ok", str(path))
    found = shutil.which("nnictl")
    where = f"only {found}, of another environment" if found else "not found"
    return Finding("nnictl", "fault", where, f"{sys.executable} -m pip install nni")


def _port() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    except OSError as error:
        remedy = "see what holds them (ss -tln), and whether loopback is up (ip address show lo)"
        return Finding("port", "fault", f"none is free on loopback: {error.strerror}", remedy)
    return Finding("port", "ok", f"loopback has free ones, such as {port}")


def _disk(folder: Path) -> Finding:
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not os.access(there, os.W_OK):
        return Finding("disk", "fault", f"{there}: cannot be written to", "name another folder: nas-ctx doctor DIR")
    free = shutil.disk_usage(there).free / 1e9
    if free < MINIMUM_DISK:
        return Finding("disk", "fault", f"{there}: {free:.1f} GB free, expected {MINIMUM_DISK:.0f}", "make room")
    return Finding("disk", "ok", f"{there}: {free:.0f} GB free")


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        torch.ones(1, device="cuda").sum().item()
        return Finding("gpu", "ok", ", ".join(names))
    if torch.version.cuda is None:
        return Finding("gpu", "note", "torch is built for processors only", "for a GPU install torch's CUDA build")
    return Finding(
        "gpu", "note", "torch is built for CUDA and sees no GPU", "look at nvidia-smi and at the driver's age"
    )
