"""Every command that writes, on disks with too little room: one line that names a file, and no half of one."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.genotype import Genotype
from tests.rooms import tiny

# Command, with {in} for the material and {out} for the disk.
COMMANDS = {
    "report": "report {in}/0.json {in}/1.json {in}/2.json --draws 20 --out {out}/r",
    "compare": "compare {in}/0.json {in}/1.json --with {in}/1.json {in}/2.json --draws 20 --no-figures --out {out}/c",
    "show": "show {in}/0.json --out {out}/g.png",
    "show as text": "show {in}/0.json --out {out}/g.svg",
    "table": "table {in}/train --format csv --out {out}/t.csv",
    "figure of a table": "table {in}/train --figure {out}/t.png",
    "predict": "predict {in}/train --images 2 --out {out}/p.png",
    "predictions": "predict {in}/train --val --format npy --out {out}/v",
    "export": "export {in}/train --format safetensors --out {out}/n.safetensors",
    "importance": "importance {in}/train --repetitions 2 --out {out}/i",
    "rooms": "data rooms {out}/d --train 2 --val 1 --size 48 64",
    "codebook": "data codebook {in}/data --codewords 8 --pixels 400 --out {out}/k.npy",
    "sheet": "data show {in}/data --out {out}/s.png",
    "search": "search {in}/search.yaml --quiet --out {out}/run",
    "train": "train {in}/train.yaml --quiet --out {out}/run",
}
FILLER = "filler"
OF_THE_MOMENT = ("environment.json", "run.log", "config.yaml", ".lock", FILLER)
"""Files that differ between two runs: times, places."""


@pytest.fixture(scope="module")
def material(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    (folder / "data").symlink_to(rooms)
    for seed in range(3):
        Genotype({f"{a}/{b}": ("none", "local")[(i + seed) % 2] for i, a in enumerate("abcd") for b in "abcd"}).save(
            folder / f"{seed}.json"
        )
    for kind, more in (("search", {}), ("train", {"model__blocks": "local"})):
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(tiny(rooms, None, training__steps=2, **more)))
    assert main(["train", str(folder / "train.yaml"), "--quiet", "--out", str(folder / "train")]) == 0
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "nas_ctx_test", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the superuser can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def used(folder: Path) -> int:
    return shutil.disk_usage(folder).used


def clear(folder: Path) -> None:
    gc.collect()  # a traceback may hold a file open
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def written(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in OF_THE_MOMENT and path.suffix != ".ckpt"
    }


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_full_disk(name: str, material: Path, disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = [word.replace("{in}", str(material)).replace("{out}", str(disk)) for word in COMMANDS[name].split()]
    assert main(words) == 0, capfd.readouterr().err
    whole, room = written(disk), used(disk)
    clear(disk)
    capfd.readouterr()
    fell = 0
    for share in (0.02, 0.2, 0.5, 0.8, 0.95):
        free = int(room * share) // 4096 * 4096
        (disk / FILLER).write_bytes(bytes(shutil.disk_usage(disk).free - free))
        code = main(words)
        said = capfd.readouterr().err.splitlines()
        left = written(disk)
        if code:
            fell += 1
            assert code == 2
            assert len(said) == 1, said
            assert str(disk) in said[0], said
            assert "No space left on device" in said[0] or "cannot be written" in said[0], said
        for path, content in left.items():
            if path.endswith(("history.csv", "losses.csv", "validation.csv")):  # of the steps that were done
                assert whole[path].startswith(content), path
            else:
                assert content == whole[path], path
        for path in disk.rglob("*.json"):
            json.loads(path.read_text())
        assert not [path.name for path in disk.rglob(".*") if path.name not in (".lock",)]
        assert not list(disk.rglob("*.part"))
        clear(disk)
    assert fell, "no disk was too small"
