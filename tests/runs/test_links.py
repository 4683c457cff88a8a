"""Links, pipes and the like inside an output folder: nothing is written through them, and nothing waits for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from nas_ctx.cli import main
from nas_ctx.config import check_config, to_yaml
from nas_ctx.files import unlinked
from nas_ctx.genotype import Genotype
from tests.rooms import tiny

FILES = (
    ".lock", "run.log", "history.csv", "config.yaml", "environment.json", "validation.csv", "metrics.json",
    "genotype.json", "losses.csv", "details.json",
)  # fmt: skip
VALUABLE = b"Not to be lost.\n" * 9


@pytest.fixture
def run(rooms: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run's configuration, and its folder, which holds a run that has not got anywhere."""
    content = tiny(rooms, tmp_path / "run", training__steps=1)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(to_yaml(check_config(content, "run.yaml")))
    return tmp_path / "run.yaml", folder


@pytest.mark.parametrize("command", ["search", "train"])
@pytest.mark.parametrize("name", FILES)
def test_no_file_is_written_through_a_link(
    run: tuple[Path, Path], command: str, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, folder = run
    victim = tmp_path / "victim"
    victim.write_bytes(VALUABLE)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    assert main([command, str(config), "--quiet"]) == 2
    said = f"{folder / name}: is a symbolic link and would have its target written to; remove it"
    assert capfd.readouterr().err == f"nas-ctx {command}: {said}\n"
    assert victim.read_bytes() == VALUABLE
    victim.unlink()
    assert main([command, str(config), "--quiet"]) == 2  # a link to nowhere makes no file there
    assert not victim.exists()


def test_no_folder_of_checkpoints_is_emptied_through_a_link(
    run: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config, folder = run
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in ("step=1.ckpt", "step=2.ckpt", "step=3.ckpt", "x.part"):
        (victim / name).write_bytes(VALUABLE)
    (folder / "checkpoints").symlink_to(victim, target_is_directory=True)
    assert main(["train", str(config), "--quiet"]) == 2
    assert "checkpoints: is a symbolic link" in capfd.readouterr().err
    assert {path.name: path.read_bytes() for path in victim.iterdir()} == dict.fromkeys(
        ("step=1.ckpt", "step=2.ckpt", "step=3.ckpt", "x.part"), VALUABLE
    )


def test_a_checkpoint_on_its_way_takes_no_link_for_its_file(run: tuple[Path, Path], tmp_path: Path) -> None:
    config, folder = run
    victim = tmp_path / "victim"
    victim.write_bytes(VALUABLE)
    (folder / "checkpoints").mkdir()
    for name in ("step=1.part", "step=1.ckpt", "step=9.ckpt"):
        (folder / "checkpoints" / name).symlink_to(victim)
    assert main(["train", str(config), "--quiet"]) == 0
    assert victim.read_bytes() == VALUABLE
    assert not (folder / "checkpoints" / "step=1.ckpt").is_symlink()


@pytest.mark.parametrize("name", [*FILES, "checkpoints"])
def test_nobody_waits_for_a_pipe(run: tuple[Path, Path], name: str, capfd: pytest.CaptureFixture[str]) -> None:
    config, folder = run
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert main(["search", str(config), "--quiet"]) == 2
    assert f"{folder / name}: is neither a file nor a folder; remove it" in capfd.readouterr().err


def test_nobody_waits_for_a_pipe_among_the_checkpoints(
    run: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    config, folder = run
    (folder / "checkpoints").mkdir()
    os.mkfifo(folder / "checkpoints" / "step=5.ckpt")
    assert main(["train", str(config), "--quiet"]) == 0
    assert "step=5.ckpt: is no file; now step=5.ckpt.bad; starting anew" in capfd.readouterr().err


def test_a_link_made_after_the_check_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(VALUABLE)
    link = tmp_path / "link"
    link.symlink_to(victim)
    for mode in ("w", "a", "r+"):
        with pytest.raises(OSError, match="symbolic links"), open(link, mode, opener=unlinked):
            pass
    assert victim.read_bytes() == VALUABLE


@pytest.mark.parametrize("name", ["tables", "figures"])
def test_a_report_writes_through_no_link(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        Genotype({"a/a": "none", "a/b": "local"}).save(tmp_path / f"{seed}.json")
    victim, out = tmp_path / "victim", tmp_path / "report"
    victim.mkdir()
    out.mkdir()
    (out / "report.json").write_text("{}")
    (out / name).symlink_to(victim)
    assert main(["report", *(str(tmp_path / f"{seed}.json") for seed in range(3)), "--out", str(out)]) == 2
    assert f"{out / name}: is a symbolic link" in capsys.readouterr().err
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("words", [["show"], ["report", "--out", "out"], ["show", "--curves", "c.png"]], ids=" ".join)
def test_a_pipe_in_a_folder_that_is_read_is_not_waited_for(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody may ever write to it: each of these waited for good."""
    monkeypatch.chdir(tmp_path)
    for name in ("genotype.json", "validation.csv"):
        os.mkfifo(tmp_path / name)
    assert main([words[0], str(tmp_path), *words[1:]]) == 2
    assert "is neither a file nor a folder" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genotype.json", "validation.csv"]


def test_a_pipe_that_the_shell_hands_over_is_read(tmp_path: Path) -> None:
    """As in ``nas-ctx report <(tool)``."""
    taken, given = os.pipe()
    os.write(given, b"block,r1,r2\na,x,y\nb,y,x\n")
    os.close(given)
    assert main(["report", f"/dev/fd/{taken}", "--out", str(tmp_path / "out"), "--no-figures", "--draws", "20"]) == 0
    os.close(taken)
