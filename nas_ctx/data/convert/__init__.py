"""Writes data sets as their authors publish them in the layouts of :mod:`nas_ctx.data`.

``surfaces`` derives normals and boundaries; ``official``, ``mtan`` and ``voc`` read one source each.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas_ctx.data.convert import mtan, official, voc
from nas_ctx.errors import InputError
from nas_ctx.files import atomic_folder

Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Source:
    """A form in which a data set is published.

    Args:
        title: of it.
        recognises: whether a path is one.
        needs, takes: names of the further files that it needs, and of those that it can do without.
        write: writes the data set, from the path, the folder, the further files and a progress bar; returns what it
            has to say, line by line.
    """

    title: str
    recognises: Callable[[Path], bool]
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    write: Callable[[Path, Path, Mapping[str, Path], Progress], list[str]]


SOURCES = (
    Source(
        "nyu_depth_v2_labeled.mat, the official file of NYUD-v2",
        official.recognises, ("splits", "classes"), (), official.write,
    ),
    Source("the .npy form of NYUD-v2 of MTAN (train/image/0.npy)", mtan.recognises, (), (), mtan.write),
    Source(
        "PASCAL VOC (JPEGImages, ImageSets/Main) with the annotations of PASCAL-Context",
        voc.recognises, ("context", "labels"), ("parts",), voc.write,
    ),
)  # fmt: skip


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    files: Mapping[str, str | os.PathLike[str]],
    progress: Progress = lambda items: items,
) -> list[str]:
    """Write the data set ``source`` in one of the layouts as the folder ``target``: completely, or not at all.

    Args:
        source: what is published, one of :data:`SOURCES`, or a folder up to two levels above it.
        target: folder to make; it may exist if it is empty.
        files: the further files that the source needs or takes, by the names that :data:`SOURCES` gives.
        progress: wraps what is iterated over, for a progress bar.

    Returns:
        What was written and what was left out, as lines of text.

    Raises:
        InputError: an unknown source, a file that is missing, damaged or of another form, or ``target`` is not empty.
    """
    source, target = Path(source), Path(target)
    if not source.exists():
        raise InputError(f"{source}: no such file or folder")
    kind, source = find(source)
    for name in kind.needs:
        if name not in files:
            raise InputError(f"{source}: is {kind.title}, which needs --{name} too")
    for name in files:
        if name not in (*kind.needs, *kind.takes):
            raise InputError(f"--{name}: {source} is {kind.title}, which takes no such file")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: exists and is not empty; name another folder")
    with atomic_folder(target) as folder:
        return kind.write(source, folder, {name: Path(path) for name, path in files.items()}, progress)


def find(path: Path) -> tuple[Source, Path]:
    """The source at ``path``, or else the only one below it by up to two levels, as an unpacked archive has it.

    Raises:
        InputError: there is none, or there are several.
    """
    for level in ([path], path.glob("*"), path.glob("*/*")):
        places = sorted(place for place in level if place == path or place.is_dir() or place.suffix == ".mat")
        found = [(kind, place) for place in places for kind in SOURCES if kind.recognises(place)]
        if len(found) > 1:
            raise InputError(f"{path}: holds several sources ({', '.join(str(place) for _, place in found)}); name one")
        if found:
            return found[0]
    names = [place.name for place in sorted(path.glob("*"))]
    holds = f" (holds {', '.join(names[:5])})" if names else ""
    titles = "; ".join(kind.title for kind in SOURCES)
    raise InputError(f"{path}: none of the known sources, here or up to two folders below{holds}: {titles}")
