"""Readers of single files: what a header claims is held against the file before anything is made of that size."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from nas_ctx.cli import main
from nas_ctx.data import reading
from nas_ctx.data.reading import conversions, read_array, read_grey, read_image, read_lines, read_mat
from nas_ctx.errors import InputError


def npy(shape: tuple[int, ...], data: bytes, dtype: str = "<f4") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def archive() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros((3, 4)))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (archive(), "a zip archive, as np.savez writes"),
        (npy((0, 0), b""), "0 x 0 values"),
        (npy((10**12, 1), bytes(100)), "1000000000000 x 1 values, of which at most"),
        (npy((10**6, 10), bytes(100)), "header says 40000000 bytes, it has 100"),
        (npy((-3, 4), bytes(48)), "-3 x 4 values"),
        (npy((3, 4), bytes(96), "|O"), "array of objects"),
        (npy((3, 4), bytes(96), "<c8"), "expected H x W numbers"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9) + b"[" * 9, "header"),
    ],
)
def test_arrays(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.npy: .*{told}"):
        read_array(tmp_path / "x.npy")


def test_a_picture_that_claims_to_be_huge(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (4, 3)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = struct.pack(">II", 13_000, 13_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "x.png").write_bytes(content)
    for read in (read_image, read_grey):
        with pytest.raises(InputError, match=r"x\.png: has more than 89478485 pixels"):
            read(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "WEBP"])
def test_only_two_formats_of_pictures_are_read(tmp_path: Path, kind: str) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "x.png", kind)
    with pytest.raises(InputError, match=r"x\.png: damaged or not of the expected format"):
        read_image(tmp_path / "x.png")


def matlab(path: Path, values: Any, packed: bool) -> Path:
    scipy.io.savemat(path, {"LabelMap": values}, do_compression=packed)
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_files_are_bounded_by_what_they_unpack_to(tmp_path: Path, packed: bool, monkeypatch) -> None:
    """Zeros, which zlib packs a thousandfold."""
    path = matlab(tmp_path / "x.mat", np.zeros((500, 700)), packed)
    monkeypatch.setattr(reading, "MOST_UNPACKED", 3_000_000)
    assert read_mat(path, "LabelMap", np.shape) == (500, 700)
    monkeypatch.setattr(reading, "MOST_UNPACKED", 2_000_000)
    with pytest.raises(InputError, match=r"x\.mat: .*2000000"):
        read_mat(path, "LabelMap", np.shape)


def test_other_variables_of_a_matlab_file_count(tmp_path: Path, monkeypatch) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"a": np.zeros(200_000), "LabelMap": np.eye(3)}, do_compression=True)
    monkeypatch.setattr(reading, "MOST_UNPACKED", 1_000_000)
    with pytest.raises(InputError, match="unpacks to more than 1000000 bytes"):
        read_mat(tmp_path / "x.mat", "LabelMap", np.shape)


CONVERTED = {
    "L": (130, [130, 130, 130]), "1": (1, [255, 255, 255]), "LA": ((130, 0), [130, 130, 130]),
    "RGBA": ((9, 8, 7, 0), [9, 8, 7]), "P": (1, [40, 50, 60]), "CMYK": ((0, 255, 255, 0), [255, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("mode", CONVERTED)
def test_pictures_of_other_modes_become_rgb_and_are_counted(tmp_path: Path, mode: str) -> None:
    value, expected = CONVERTED[mode]
    image = Image.new(mode, (4, 3), value)
    if mode == "P":
        image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "x", "JPEG" if mode == "CMYK" else "PNG")
    assert np.abs(read_image(tmp_path / "x")[1, 2].astype(int) - expected).max() <= 1
    assert len(conversions(tmp_path / "x")) == 1
    Image.new("RGB", (4, 3)).save(tmp_path / "x", "PNG")
    assert conversions(tmp_path / "x") == []


def test_grey_of_16_bits_is_refused_rather_than_turned_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 4), 4000, np.uint16)).save(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"x\.png: has pixel mode I;16, expected 8 bits a channel"):
        read_image(tmp_path / "x.png")


def test_a_matlab_file_without_the_variable_names_those_it_has(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"labelmap": np.eye(3), "b": np.eye(2)})
    with pytest.raises(InputError, match=r"x\.mat: holds labelmap, b, expected LabelMap$"):
        read_mat(tmp_path / "x.mat", "LabelMap", np.shape)


def test_a_list_in_another_encoding_and_an_archive_are_told_with_a_remedy(tmp_path: Path, capsys) -> None:
    (tmp_path / "train.txt").write_text("0001\n", encoding="utf-16")
    with pytest.raises(InputError, match=r"train\.txt: not a text file in UTF-8 .*UTF-16, save it as UTF-8"):
        read_lines(tmp_path / "train.txt")
    for kind, suffix in (("gztar", "tar.gz"), ("xztar", "tar.xz"), ("zip", "zip")):
        shutil.make_archive(str(tmp_path / "NYUD_MT"), kind, tmp_path, "train.txt")
        assert main(["data", "check", str(tmp_path / f"NYUD_MT.{suffix}")]) == 2
        assert "is an archive, unpack it first" in capsys.readouterr().err
