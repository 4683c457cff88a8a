"""Where the files of a data set are: its folder in an unpacked archive, the ids in its lists, the picture of an id."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nas_ctx.errors import InputError

PICTURE_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".PNG", ".JPEG")
_LISTED_SUFFIXES = {*PICTURE_SUFFIXES, ".npy", ".mat"}  # of images and labels in lists


def find_roots(root: str | os.PathLike[str], split_folder: str) -> list[Path]:
    """The folders that hold ``split_folder``: ``root`` itself, else those up to two levels below it, sorted.

    Raises:
        InputError: there is no folder ``root``.
    """
    root = Path(root)
    if not root.is_dir():
        kind = "is a file, expected the folder of a data set; unpack an archive first"
        raise InputError(f"{root}: {kind if root.exists() else 'no such folder'}")
    if (root / split_folder).is_dir():
        return [root]
    levels = (sorted(root.glob(f"{below}/{split_folder}")) for below in ("*", "*/*"))
    found = next((places for places in levels if places), [])
    return [Path(*place.parts[: -len(Path(split_folder).parts)]) for place in found if place.is_dir()]


def find_root(root: str | os.PathLike[str], split_folder: str) -> Path:
    """The one folder of :func:`find_roots`; ``root`` where there is none.

    Raises:
        InputError: there is no folder ``root``, or it holds several data sets.
    """
    return one_of(root, find_roots(root, split_folder) or [Path(root)])


def one_of(root: str | os.PathLike[str], found: Sequence[Path]) -> Path:
    """The only one of the data sets ``found`` in ``root``; InputError where there are several."""
    if len(found) > 1:
        raise InputError(f"{root}: holds several data sets ({', '.join(map(str, found))}); name one of them")
    return found[0]


def id_of(line: str, image_folder: str) -> str:
    """The id that a line of a list names: the line itself, or the first path where it is one path or several.

    >>> id_of("0001", "images"), id_of("sub/0001.jpg", "images")
    ('0001', 'sub/0001')
    >>> id_of("/JPEGImages/2007_000032.jpg /SegmentationClass/2007_000032.png", "JPEGImages")
    '2007_000032'
    """
    words = line.split()
    if not all(PurePosixPath(word).suffix in _LISTED_SUFFIXES for word in words):
        return line
    parts, folder = PurePosixPath(words[0]).with_suffix("").parts, PurePosixPath(image_folder).parts
    ends = [end for end in range(len(folder), len(parts)) if parts[end - len(folder) : end] == folder]
    return "/".join(parts[ends[-1] if ends else 0 :])


def find_picture(stem: Path) -> Path:
    """The picture of that name without its suffix, by the first suffix there is; by ``.jpg`` where there is none."""
    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in PICTURE_SUFFIXES]
    return next((path for path in paths if path.exists()), paths[0])
