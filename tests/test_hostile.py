"""Hostile input by the thousand: configurations, output folders, checkpoints, labels, and requests to a real manager.

Each case ends with exit code 0, or 2 and one line; none runs code, touches what lies elsewhere, or hangs. The seed of
the cases is 0, or the one in ``NAS_CTX_SEED``.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import random
import shutil
import socket
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from nas_ctx import runs
from nas_ctx.cli import main
from nas_ctx.config import Config, keys_of
from nas_ctx.config.nested import set_dotted
from nas_ctx.errors import InputError
from nas_ctx.experiment import launch
from nas_ctx.experiment.credentials import token_in
from nas_ctx.experiment.parameters import check_parameters
from nas_ctx.genotype import Genotype
from nas_ctx.runs.digest import KEY, digest
from nas_ctx.runs.folder import WRITTEN
from tests.experiment.test_launch import experiment_file, processes_of
from tests.rooms import tiny, tiny_config
from tests.runs.test_fuzz import within

SEED = int(os.environ.get("NAS_CTX_SEED", "0"))
SHARE, PARTS = 0.35, 6
"""How many of all pairs of a key and a value are tried, and in how many parts."""
CODE = ["subprocess:check_output", "os:system", "trap:Trap", "builtins:exec", "trap", "nas_ctx.files:write_text"]
VALUES: list[Any] = [
    None, True, False, -1, 0, 1, 10**30, -(2**63), 2**64, 1e300, -1e-300, 0.5, "", " ", "\x1b[31m\u202e",
    "\x00", "a/b",
    "../../x", "/dev/zero", "/", "~", "{seed}", "{x.y.__class__}", "{data.root}", "x" * 5000, "=1+1", "<b>",
    "$x$", [], {},
    [[]], [None], [0, 0], [-1, 1], [1] * 3, {"x": {}}, {"type": "x"}, {"": 0}, ["none", "none"], "1e400",
    "\u0660", *CODE,
]  # fmt: skip
NAMES = [
    "", "a", "/", "a/", "/a", "a/b/c", "\x1b[2J", "\u202e", "=1+1", "<script>x</script>", "$\\foo$",
    "\\input{x}", "|", "\n",
    "null", "nan", "1", "1.0", "__proto__", "__class__", "x" * 3000, "\u05d0/\u05d1", "\ufeff", "NA", "{0}",
    "%s", *CODE,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _only_what_is_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def learnt(run: Any) -> Genotype:
        run.data.train_set(), run.data.val_set()
        return Genotype({"a/a": "none"}, {"decided_at": {}, "steps": 0})

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("nas_ctx.runs.run._search", learnt)
    monkeypatch.setattr("nas_ctx.runs.run._train", lambda run: dict.fromkeys(learnt(run), 0.0))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder whose module ``trap`` leaves a mark when it is run, and a file that nobody may touch."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Trap: pass\n")
    (tmp_path / "victim").write_text("precious")
    yield here
    assert not (tmp_path / "sprung").exists()
    assert (tmp_path / "victim").read_text() == "precious"


def command(words: list[str], said: io.StringIO) -> int:
    """The exit code of a command; ``said`` is what it wrote to standard error, checked."""
    with within(120), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(words)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
    lines = said.getvalue().splitlines()
    assert code in (0, 2), (code, lines)
    assert code == 0 or len(lines) == 1, lines
    for line in lines:
        assert not [sign for sign in line if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")], line
    return code


class Tally:
    """Counts cases, and gathers those that fall, so that one does not hide the others."""

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.fell: list[str] = []

    def case(self, what: object, attempt: Callable[[], int]) -> None:
        try:
            self.codes.append(attempt())
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.fell.append(f"{str(what)[:200]}: {type(error).__name__}: {str(error)[:300]}")

    def done(self, name: str, least: int) -> None:
        total = len(self.codes) + len(self.fell)
        refused = self.codes.count(2)
        print(f"{name}: {total} cases, {refused} refused, {self.codes.count(0)} taken, {len(self.fell)} fell")
        assert not self.fell, f"{len(self.fell)} of {total} fell:\n" + "\n".join(self.fell[:40])
        assert total >= least
        assert refused


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_configurations(rooms: Path, place: Path, part: int) -> None:
    """Keys with values, and pairs of them: a share of all cases, in parts of some minutes each."""
    moments, tally = random.Random(SEED), Tally()
    keys = [key.name for key in keys_of(Config)] + [
        "tasks.depth.bins",
        "tasks.semseg.classes",
        "tasks.x",
        "nothing",
        "a.b",
    ]
    cases = [[(key, value)] for key in keys for value in VALUES if moments.random() < SHARE]
    cases += [[(moments.choice(keys), moments.choice(VALUES)) for _ in range(2)] for _ in range(200)]
    for changes in cases[part::PARTS]:
        content = tiny(rooms, None)
        with contextlib.suppress(InputError):
            for key, value in changes:
                set_dotted(content, key, value)
        config = place / "c.yaml"
        config.write_text(json.dumps(content))
        kind = moments.choice(["search", "train"])
        out = place / "out"
        tally.case(changes, lambda: command([kind, str(config), "--quiet", "--out", str(out)], io.StringIO()))  # noqa: B023
        shutil.rmtree(out, ignore_errors=True)
        config.unlink()
        if list(place.iterdir()):
            tally.fell.append(f"{changes}: left {[path.name for path in place.iterdir()]}")
            shutil.rmtree(place)
            place.mkdir()
            os.chdir(place)
    tally.done("configurations", 1000 // PARTS)


def odd_entries(victim: Path) -> dict[str, Callable[[Path], None]]:
    def bound(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))

    return {
        "link": lambda path: path.symlink_to(victim),
        "link to nowhere": lambda path: path.symlink_to(victim.parent / "nowhere"),
        "link to a folder": lambda path: path.symlink_to(victim.parent),
        "link to itself": lambda path: path.symlink_to(path),
        "pipe": os.mkfifo,
        "socket": bound,
        "device": lambda path: path.symlink_to("/dev/full"),
        "folder": lambda path: path.mkdir(),
        "unreadable": lambda path: (path.write_bytes(b"\xff" * 9), path.chmod(0))[0] and None,
    }


def test_output_folders(rooms: Path, place: Path) -> None:
    tally = Tally()
    config = place / "c.yaml"
    config.write_text(json.dumps(tiny(rooms, None)))
    for kind in ("search", "train"):
        for name in (*WRITTEN, "checkpoints/step=1.ckpt", "checkpoints/x.part", ".config-0a1b2c3d.yaml"):
            for what, make in odd_entries(place.parent / "victim").items():
                out = place / "out"
                (out / name).parent.mkdir(parents=True)
                make(out / name)
                words = [kind, str(config), "--quiet", "--out", str(out)]
                tally.case((kind, name, what), lambda: command(words, io.StringIO()))  # noqa: B023
                shutil.rmtree(out)
    tally.done("output folders", 200)
    assert not (place.parent / "nowhere").exists()


def leaves(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(tree, (dict, list)):
        for key in tree if isinstance(tree, dict) else range(len(tree)):
            yield from leaves(tree[key], (*path, key))


ODD_TENSORS: list[Any] = [
    torch.empty(0), torch.tensor(float("nan")), torch.zeros(2, 2, dtype=torch.int8),
    torch.zeros(1).expand(10**6), None, -1,
    "x", {}, [], 10**40, torch.zeros(3).to_sparse(), torch.tensor(1 + 1j), torch.zeros(4, dtype=torch.float64),
]  # fmt: skip


@pytest.mark.parametrize("cases", [12, pytest.param(250, marks=pytest.mark.long)])
def test_checkpoints(rooms: Path, place: Path, cases: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something in a checkpoint replaced by something else, half of them with a right digest."""
    moments, tally = random.Random(SEED), Tally()
    monkeypatch.undo()
    monkeypatch.chdir(place)
    run = place.parent / "run"
    runs.train(tiny_config(rooms, run, training__steps=1, model__blocks="local"), progress=False)
    (checkpoint,) = (run / "checkpoints").iterdir()
    for _ in range(cases):
        content = torch.load(checkpoint, weights_only=True)
        path = moments.choice([path for path in leaves(content) if path and path != (KEY,)])
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        value = moments.choice([*ODD_TENSORS, *VALUES])
        inner[path[-1]] = value
        if moments.random() < 0.5:
            with contextlib.suppress(Exception):
                content[KEY] = digest(content)
        copy = place / "copy"
        shutil.copytree(run, copy)
        torch.save(content, copy / "checkpoints" / checkpoint.name)
        words = ["predict", str(copy), "--images", "1", "--out", str(place.parent / "sheet.png")]
        tally.case((path, str(value)), lambda: command(words, io.StringIO()))  # noqa: B023
        shutil.rmtree(copy)
    tally.done("checkpoints", cases)


@pytest.mark.parametrize(
    ("cases", "part"), [(10, 0), *(pytest.param(50, part, marks=pytest.mark.long) for part in range(1, 6))]
)
def test_labels(place: Path, cases: int, part: int) -> None:
    """Labels, choices, names of files and tags, in genotypes and tables, through `report` and `show`."""
    moments, tally = random.Random(SEED + 1000 * part), Tally()
    for number in range(cases):
        files = []
        blocks = [moments.choice(NAMES) + moments.choice(["", "/"]) + moments.choice(NAMES) for _ in range(4)]
        for seed in range(3):
            name = moments.choice(NAMES).replace("/", "-").replace("\x00", "")[:50]
            path = place / f"{name}{seed}.json"
            meta = {moments.choice(NAMES): moments.choice(VALUES), "seed": moments.choice(VALUES)}
            choices: Any = {block: moments.choice([*NAMES, *VALUES]) for block in blocks}
            form = {"format": "nas_ctx.genotype/1", "choices": choices, "meta": meta}
            if moments.random() < 0.2:
                path = path.with_suffix(".yaml" if seed else ".json")
                path.write_text("!!python/object/apply:trap.Trap []\n" + yaml.safe_dump(form))
            else:
                path.write_text(json.dumps(form))
            files.append(str(path))
        out = place / "out"
        words = ["report", *files, "--no-figures", "--draws", "20", "--out", str(out), "--ties", "order"]
        tally.case(files, lambda: command(words if number % 3 else ["show", files[0]], io.StringIO()))  # noqa: B023
        shutil.rmtree(place)
        place.mkdir()
        os.chdir(place)
    tally.done("labels", cases)


def test_parameters_of_trials(place: Path) -> None:
    moments, tally = random.Random(SEED), Tally()
    (place / "sub").mkdir()
    path = experiment_file(place / "sub", "true", [0, 1])
    keys = [key.name for key in keys_of(Config)] + NAMES + ["seed"]
    for _ in range(600):
        parameters: Any = {moments.choice(keys): moments.choice(VALUES) for _ in range(moments.randrange(3))}
        parameters = moments.choice([parameters, parameters, parameters, [parameters], *VALUES])

        def attempt() -> int:
            try:
                taken = check_parameters(parameters, path)  # noqa: B023
            except InputError:
                return 2
            assert set(taken) <= {"seed"}
            assert all(isinstance(value, (int, float)) for value in taken.values())
            return 0

        tally.case(parameters, attempt)
    tally.done("parameters of trials", 600)


PATHS = [
    "/", "/oview", "/api/v1/nni/trial-jobs", "/api/v1/nni/experiment", "/api/v1/nni/check-status", "/netron", "//x",
    "/api/v1/nni/../../logs/nnimanager.log", "/logs/nnimanager.log",
    "/api/v1/nni/experiment?update_type=TRIAL_CONCURRENCY",
    "/%2e%2e/%2e%2e/etc/passwd", "http://127.0.0.1/api/v1/nni/experiment", "*", "/env/local/x", "/tuner",
    "/" + "a" * 3000,
]  # fmt: skip
HEADERS: dict[str, list[str]] = {
    "Host": ["", "evil.example", "127.0.0.1", "localhost", "127.0.0.1:1@evil.example", "[::1]"],
    "Origin": ["null", "http://evil.example", "http://127.0.0.1", "http://localhost:1"],
    "Authorization": ["", "Basic", "Basic !!!", "Basic bmFzLWN0eDo=", "Bearer x", "basic " + "A" * 4000, "Digest x"],
    "Content-Type": ["text/plain", "application/json", "multipart/form-data"],
    "Transfer-Encoding": ["chunked", "x"],
    "Content-Length": ["0", "-1", "99999999999", "x"],
    "Expect": ["100-continue", "x"],
    "Upgrade": ["websocket", "h2c"],
    "Connection": ["Upgrade", "keep-alive"],
    "X-HTTP-Method-Override": ["DELETE"],
}


def test_requests_to_a_manager(place: Path) -> None:
    """Without the token: whatever is asked, nothing is answered, and nothing changes."""
    moments, tally = random.Random(SEED), Tally()
    (place / "wait.py").write_text("import nni, time\nnni.get_next_parameter()\ntime.sleep(600)\n")
    experiment = launch.create(experiment_file(place, "python wait.py", [0]), place / "home")
    try:
        before = experiment.get("experiment")["params"]
        bodies = [json.dumps(value) for value in ({}, {"trial_sequence": 0}, {"model.backbone": CODE[0]}, [], "x")]
        for _ in range(600):
            method = moments.choice(
                ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "CONNECT", "TRACE", "X"]
            )
            chosen = {name: moments.choice(values) for name, values in HEADERS.items() if moments.random() < 0.3}
            path, body = moments.choice(PATHS), moments.choice([*bodies, "{", "\x00" * 50])

            def attempt() -> int:
                connection = http.client.HTTPConnection("127.0.0.1", experiment.port, timeout=20)
                with contextlib.closing(connection):
                    connection.putrequest(method, path, skip_host="Host" in chosen, skip_accept_encoding=True)  # noqa: B023
                    for name, value in ({"Content-Length": str(len(body))} | chosen).items():  # noqa: B023
                        connection.putheader(name, value)
                    try:
                        connection.endheaders(body.encode())  # noqa: B023
                        with contextlib.suppress(OSError):  # hung up on already
                            connection.sock.shutdown(socket.SHUT_WR)
                        status = connection.getresponse().status
                    except (http.client.HTTPException, ConnectionError):
                        return 2  # hung up on
                assert status in (400, 401, 403, 408, 411, 413, 417, 431, 501), status
                return 2

            tally.case((method, path, chosen), attempt)
        tally.done("requests", 600)
        assert experiment.get("experiment")["params"] == before
        assert experiment.status() in ("RUNNING", "NO_MORE_TRIAL")
        assert token_in(experiment.netrc)
    finally:
        experiment.stop()
    assert processes_of(place / "home") == []
