"""Files of every kind that the project reads, spoilt by hypothesis: each works, or costs one line and exit code 2."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.data import NYUD
from nas_ctx.errors import InputError
from nas_ctx.genotype import Genotype
from tests.rooms import tiny, tiny_config

NASTY = [
    "", "\x00", "\ufeff", "\r", "{", "}", "[", "]", '"', "'", ":", ",", "- ", "\t", "#",
    '!!python/object/apply:os.system ["touch hostile"]', "&a [*a]", "*a", "<<: *b", "1e999", ".nan", "-.inf", "NaN",
    "Infinity", "null", "true", "~", "9" * 400, "-1", "0", "1e-400", "../../../etc/passwd", "/dev/zero", "\\ud800",
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\\input{/etc/passwd}", "[" * 3000, "{a: " * 300, "é", "𝕏",
    "a/a=none", "step", "s-label", "semseg/depth", "\n\n", "%PDF", "2026-01-01", "0x1F", "0o7", "1_000", "yes",
]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NASTY) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def cuts(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of a file's bytes: some pieces cut out, some put in."""
    places = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(NASTY)), max_size=3))
    cut = draw(st.one_of(st.just(1.0), st.floats(0, 1)))
    raw = draw(st.one_of(st.just(b""), st.just(b""), st.binary(max_size=6)))

    def change(content: bytes) -> bytes:
        for place, length, piece in places:
            start = int(place * len(content))
            content = content[:start] + piece.encode() + raw + content[start + length :]
        return content[: int(cut * len(content)) + 1]

    return change


@st.composite
def edits(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """A change of the structure in a YAML or JSON file: values replaced, keys added and removed."""
    changes = draw(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), values), min_size=1, max_size=3))

    def change(content: bytes) -> bytes:
        try:
            tree = yaml.safe_load(content)
        except yaml.YAMLError:
            return content
        for place, what, value in changes:
            spots = [(tree, key) for key in tree] if isinstance(tree, dict) else []
            for inner, key in spots:
                if isinstance(inner[key], dict):
                    spots += [(inner[key], sub) for sub in inner[key]]
            if not spots:
                continue
            inner, key = spots[place % len(spots)]
            if what == 0:
                inner.pop(key, None)
            elif what == 1:
                inner[str(value)[:20]] = value
            else:
                inner[key] = value
        try:
            return json.dumps(tree).encode()
        except (TypeError, ValueError):
            return content

    return change


@pytest.fixture(scope="module")
def material(rooms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole file or folder of every kind."""
    folder = tmp_path_factory.mktemp("material")
    short = {"training__steps": 1}
    runs.search(tiny_config(rooms, folder / "search", **short), progress=False)
    runs.train(tiny_config(rooms, folder / "train", **short), progress=False)
    for name in ("search", "train"):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(tiny(rooms, None, **short), sort_keys=False))
    choices = {f"{target}/{source}": "local" for target in "abc" for source in "abc"}
    for name, seed in (("one", 1), ("two", 2)):
        Genotype(choices, {"seed": seed}).save(folder / f"{name}.json")
    for seed in (1, 2):
        number = {"edge": seed, "sal": 3}
        (folder / f"atrc-{seed}.json").write_text(json.dumps({"data": {"edge": number, "sal": number}, "step": 9}))
    shutil.copytree(folder / "search", folder / "again")
    rows = [f"{label},local,none,global" for label in choices]
    (folder / "table.csv").write_text("\n".join(["block,run 1,run 2,run 3", *rows]) + "\n")
    data = folder / "data"
    for part in ("gt_sets", "images", "segmentation", "depth"):
        (data / part).mkdir(parents=True)
    for split in ("train", "val"):
        name = (rooms / "gt_sets" / f"{split}.txt").read_text().split()[0]
        (data / "gt_sets" / f"{split}.txt").write_text(name + "\n")
        for part in ("images", "segmentation", "depth"):
            shutil.copy(next((rooms / part).glob(f"{name}.*")), data / part)
    return folder


# What is spoilt -> (the files that may be, the command). {in} is a copy of the material, {out} a new folder.
REPORT = ["--out", "{out}", "--no-figures", "--draws", "20"]
CASES: dict[str, tuple[list[str], list[str]]] = {
    "configuration": (["search.yaml"], ["search", "{in}/search.yaml", "--out", "{out}", "--quiet"]),
    "configuration of a training": (["train.yaml"], ["train", "{in}/train.yaml", "--out", "{out}", "--quiet"]),
    "genotype": (["one.json", "two.json"], ["report", "{in}/one.json", "{in}/two.json", *REPORT]),
    "authors' genotype": (["atrc-1.json"], ["report", "{in}/atrc-1.json", "{in}/atrc-2.json", *REPORT]),
    "table": (["table.csv"], ["report", "{in}/table.csv", *REPORT]),
    "run folder": (
        [f"search/{name}" for name in ("history.csv", "metrics.json", "environment.json", "genotype.json")],
        ["report", "{in}/search", "{in}/again", "--keep-copies", *REPORT],
    ),
    "training": (["train/metrics.json", "train/config.yaml"], ["table", "{in}/train", "--out", "{out}/table.txt"]),
    "checkpoint": (["train/checkpoints/step=1.ckpt"], ["predict", "{in}/train", "--out", "{out}/x.png"]),
    "data": (
        ["data/gt_sets/train.txt", "data/images/*.jpg", "data/segmentation/*.png", "data/depth/*.npy"],
        ["data", "check", "{in}/data"],
    ),
}


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail, with the place where it hangs as traceback, when the block takes longer."""

    def late(number: int, frame: object) -> None:
        raise AssertionError(f"still at it after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Make ``folder``, the working directory while the block runs; nothing may be left in it."""
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
    assert list(folder.iterdir()) == [], "it touched the working directory"


def attempt(material: Path, name: str, pick: int, change: Callable[[bytes], bytes]) -> int:
    """Spoil a file, run the command, and see that it ends as it should; returns the exit code."""
    files, words = CASES[name]
    with tempfile.TemporaryDirectory() as place:
        copy, out = Path(place) / "in", Path(place) / "out"
        shutil.copytree(material, copy)
        known = [path for pattern in files for path in sorted(copy.glob(pattern))]
        spoilt = known[pick % len(known)]
        spoilt.write_bytes(change(spoilt.read_bytes()))
        before = listing(copy)
        said, told = io.StringIO(), io.StringIO()
        there = working_in(Path(place) / "cwd")
        with within(300), there, contextlib.redirect_stderr(said), contextlib.redirect_stdout(told):
            code = main([word.replace("{in}", str(copy)).replace("{out}", str(out)) for word in words])
        assert code in (0, 2), (code, said.getvalue())
        assert listing(copy) == before, "it touched its input"
        assert sorted(path.name for path in Path(place).iterdir()) in (["cwd", "in"], ["cwd", "in", "out"])
        if code == 2:
            lines = said.getvalue().strip().splitlines()
            assert len(lines) == 1, lines
            assert lines[0].startswith(f"nas-ctx {words[0]}: ")
            left = [path for path in out.rglob("*") if path.is_file() and path.name != ".lock"]
            assert not left or name.startswith("configuration"), left
        return code


@pytest.fixture(autouse=True)
def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fuzzed configurations are checked up to the network and the data; what they then learn is not the question."""

    def prepare(run: Any, *_: Any) -> Genotype:
        from nas_ctx.training.networks import build_network

        build_network(run.config.model, run.tasks)
        run.data.train_set(), run.data.val_set()
        return Genotype({"a/a": "none"}, {"decided_at": {}, "steps": 0})

    # Without `pretrained: false` timm would ask the network, again and again.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("nas_ctx.runs.run._search", prepare)
    monkeypatch.setattr("nas_ctx.runs.run._train", lambda *given: dict.fromkeys(prepare(*given), 0.0))


@pytest.mark.parametrize("cases", [25, pytest.param(300, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", list(CASES))
def test_spoilt_files(material: Path, name: str, cases: int) -> None:
    codes: list[int] = []

    @settings(
        max_examples=cases,
        phases=[Phase.generate],  # the case that fails is short enough as it is, and shrinking it takes minutes
        deadline=None,
        derandomize=True,  # the same cases every time
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 20), st.one_of(cuts(), edits()))
    def run(pick: int, change: Callable[[bytes], bytes]) -> None:
        codes.append(attempt(material, name, pick, change))

    run()
    print(f"{name}: {len(codes)} inputs, {codes.count(2)} refused, {codes.count(0)} taken, none lost")
    assert codes.count(2) > cases // 10


def test_whole_files_are_taken(material: Path) -> None:
    """The unspoilt material passes, so that the refusals above are due to what was spoilt."""
    assert {name: attempt(material, name, 0, lambda content: content) for name in CASES} == dict.fromkeys(CASES, 0)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(tempfile.gettempdir()) / "nas-ctx-hostile",))


def test_files_can_execute_nothing(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A checkpoint with a pickled call, a YAML document that names one, an array of objects."""
    import numpy as np

    mark = Path(tempfile.gettempdir()) / "nas-ctx-hostile"
    mark.unlink(missing_ok=True)
    shutil.copytree(material, tmp_path / "in")
    run = tmp_path / "in" / "train"
    content = torch.load(run / "checkpoints" / "step=1.ckpt", weights_only=True)
    torch.save({**content, "extra": Hostile()}, run / "checkpoints" / "step=1.ckpt")
    assert main(["predict", str(run), "--out", str(tmp_path / "x.png")]) == 2
    (tmp_path / "c.yaml").write_text(f'data: !!python/object/apply:pathlib.Path.touch ["{mark}"]\n')
    assert main(["search", str(tmp_path / "c.yaml"), "--out", str(tmp_path / "o")]) == 2
    label = next((tmp_path / "in" / "data" / "depth").glob("*.npy"))
    np.save(label, np.array([Hostile()], dtype=object), allow_pickle=True)
    assert main(["data", "check", str(tmp_path / "in" / "data")]) == 2
    assert not mark.exists()
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../../outside", "{}/outside", "a/../../outside"])
def test_ids_do_not_climb_out_of_the_data_set(material: Path, tmp_path: Path, name: str) -> None:
    """Not even to a picture that is there, and sound."""
    data = tmp_path / "data"
    shutil.copytree(material / "data", data)
    shutil.copy(next((data / "images").iterdir()), tmp_path / "outside.jpg")
    (data / "gt_sets" / "val.txt").write_text(name.format(tmp_path) + "\n")
    with pytest.raises(InputError, match="points outside the data set"):
        NYUD(data, "val", {})


NAMES = [
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "+1",
    "-2",
    "@SUM(A1)",
    "\\input{x}",
    "a&b_c%$#",
    '"><img src=x>',
]


def test_names_from_files_inject_nothing(tmp_path: Path) -> None:
    """Labels, choices and run names that mean something to a browser or a spreadsheet come out as text."""
    import csv

    header = ["block", *[f"{name} {i}" for i, name in enumerate(NAMES)]]
    rows = [[f"{name}/x", *(NAMES[(i + j) % 3] for j in range(len(NAMES)))] for i, name in enumerate(NAMES)]
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert (
        main(["report", str(tmp_path / "t.csv"), "--out", str(tmp_path / "out"), "--no-figures", "--draws", "20"]) == 0
    )
    page = (tmp_path / "out" / "report.html").read_text()
    for piece in ("<script>alert", "<img src=x"):
        assert piece not in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "t.csv"]
    for path in (tmp_path / "out").rglob("*.csv"):
        for row in csv.reader(path.open(newline="")):
            for cell in row:
                if cell[:1] in tuple("=+-@") and not _is_number(cell):
                    raise AssertionError(f"{path.name}: a spreadsheet would calculate {cell!r}")


@pytest.mark.parametrize("name", [r"\input{x}$&%#_^~", "=1+1", "+x", "@x", "a^^5cb"])
def test_names_of_networks_are_text_to_latex_and_spreadsheets(
    material: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table names its rows by configurations: what LaTeX would carry out, or a spreadsheet calculate, is text."""
    import csv
    import io

    for run, blocks in (("one", name), ("two", "other")):
        shutil.copytree(material / "train", tmp_path / run)
        config = yaml.safe_load((tmp_path / run / "config.yaml").read_text())
        config["model"]["blocks"] = f"{blocks}.json"
        (tmp_path / run / "config.yaml").write_text(yaml.safe_dump(config))
    assert main(["table", str(tmp_path / "one"), str(tmp_path / "two"), "--format", "latex"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("%")]
    ours = r"\\(begin|end)\{tabular\}(\{lr*\})?|\\(top|mid|bottom)rule|\\text(backslash|asciitilde|asciicircum)\{\}"
    ours += r"|\$\\(uparrow|downarrow|Delta)\$|\\[&%$#_{}]|\\\\"
    rest = [re.sub(ours, "", line) for line in lines]
    assert len(rest) > 5
    assert not [line for line in rest if set(line) & set("\\^~$#%{}")], rest
    assert main(["table", str(tmp_path / "one"), str(tmp_path / "two"), "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert any(name in row[0] for row in rows)
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@") and not _is_number(cell)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
