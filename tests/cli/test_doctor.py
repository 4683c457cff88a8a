"""The doctor finds what is broken on purpose, and says how to fix it."""

from __future__ import annotations

import errno
import re
import socket
import sys
from importlib import metadata
from pathlib import Path

import pytest

from nas_ctx.cli import doctor, main


def findings_in(folder: Path) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine(folder)}


def test_a_sound_installation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path / "new" / "folder")]) == 0
    out = capsys.readouterr().out
    assert "fault" not in out
    for name in ("python", "torch", "torchvision", "nni", "setuptools", "node", "port", "disk", "gpu"):
        assert f"  {name} " in out


def test_what_is_broken_is_named_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {"torch": "2.3.1", "nni": "2.10", "setuptools": "81.0.0"}  # the last one without pkg_resources
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: versions.get(name) or real(name))
    monkeypatch.setattr(doctor, "MINIMUM_DISK", 1e9)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("nni_node.__path__", [str(tmp_path)])
    assert main(["doctor", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert re.fullmatch(r"nas-ctx doctor: 6 of \d+ checks failed: torch, nni, setuptools, node, nnictl, disk\n", err)
    for remedy in ("pip install 'torch>=2.4'", "pip install 'setuptools<81'", "--force-reinstall nni"):
        assert remedy in out


def test_what_is_optional_is_told_and_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = metadata.version

    def without(name: str) -> str:
        if name in ("onnxruntime", "h5py"):
            raise metadata.PackageNotFoundError(name)
        return "2.14" if name == "onnx" else real(name)

    monkeypatch.setattr(metadata, "version", without)
    assert main(["doctor", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "onnxruntime: not installed, which only `nas-ctx export --format onnx` needs" in out
    assert 'pip install "nas_ctx[export]"' in out
    assert 'pip install "nas_ctx[convert]"' in out


def test_ports_operators_and_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No port is a fault; operators that do not fit torch and a GPU that is not seen are notes, each with a remedy."""

    class Full(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(doctor.socket, "socket", Full)
    monkeypatch.setattr("nas_ctx.compat.torchvision.compiled_operators_load", lambda _: False)
    monkeypatch.setattr("torch.version.cuda", "12.6")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    findings = findings_in(tmp_path)
    assert [findings[name].state for name in ("port", "torchvision", "gpu")] == ["fault", "note", "note"]
    assert "Address already in use" in findings["port"].text
    assert "ss -tln" in findings["port"].remedy
    assert "nothing to do" in findings["torchvision"].text
    assert "same index" in findings["torchvision"].remedy
    assert "nvidia-smi" in findings["gpu"].remedy


def test_a_check_that_breaks_does_not_end_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Finding:
        raise OSError("libstdc++ is too old")

    monkeypatch.setattr(doctor, "_node", broken)
    findings = findings_in(tmp_path)
    assert findings["node"].state == "fault"
    assert "libstdc++ is too old" in findings["node"].text
    assert findings["disk"].state == "ok"


def test_a_container_without_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nnictl stop` runs that program, and small containers lack it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = findings_in(tmp_path)["nnictl"]
    assert (finding.state, finding.remedy) == ("fault", "install procps")
    assert "kill" in finding.text
