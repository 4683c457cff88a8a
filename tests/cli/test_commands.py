"""What people type: the pages of help, dry runs, a genotype shown, completion, logs, and what is not overwritten."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import default_collate

from nas_ctx.cli import COMMANDS, genotype_text, main
from nas_ctx.config import Config
from nas_ctx.data import DataModule
from nas_ctx.data.base import Draw
from nas_ctx.errors import InputError
from nas_ctx.files import write_text
from nas_ctx.genotype import Genotype
from nas_ctx.runs.preview import preview
from nas_ctx.tasks import make_tasks
from nas_ctx.training.module import outputs_of, task_losses
from nas_ctx.training.networks import build_network, network_of
from nas_ctx.training.optimizer import make_optimizer
from tests.rooms import tiny, tiny_config

GRID = Genotype(
    {"semseg/semseg": "none", "semseg/depth": "s-label", "depth/semseg": "local", "depth/depth": "t-label"},
    {"seed": 3, "steps": 250, "probabilities": {"depth/depth": {"t-label": 0.83, "none": 0.17}}},
)


def written(folder: Path, content: dict[str, object]) -> Path:
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def everything_in(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


# --- help and completion --------------------------------------------------------------------------------------------

PAGES = [
    [],
    *([name] for name in COMMANDS),
    *(["data", kind] for kind in ("rooms", "convert", "check", "show", "codebook")),
]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_help_teaches_with_examples_that_fit_a_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main([*words, "--help"])
    assert caught.value.code == 0
    page = capsys.readouterr().out
    assert [line for line in page.splitlines() if len(line) > 80] == []
    examples = re.findall(rf"^  .*\bnas-ctx {' '.join(words)}", page, re.MULTILINE)
    assert examples, page


@pytest.mark.parametrize(("words", "same"), [([], []), (["help"], []), (["help", "report"], ["report"])], ids=str)
def test_help_is_given_without_an_option_too(
    words: list[str], same: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pages = []
    for asked in (words, [*same, "--help"]):
        with pytest.raises(SystemExit) as caught:
            main(asked)
        assert caught.value.code == 0
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1] != ""


@pytest.mark.parametrize("words", [["report", "nowhere/a.json"], ["compare", "b.csv", "--with", "nowhere/a.json"]])
def test_a_missing_path_is_told_before_a_missing_out(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b.csv").write_text("block,run-0\na,none\n")
    assert main(words) == 2
    assert capsys.readouterr().err == f"nas-ctx {words[0]}: nowhere/a.json: no such file or folder\n"
    Path("nowhere").mkdir()
    Path("nowhere/a.json").write_text("{}")
    assert main(words) == 2
    assert "--out: missing: expected the folder to write to" in capsys.readouterr().err


def test_one_number_for_the_size_of_images_is_answered_with_its_form(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, tiny(rooms, None))
    assert main(["train", str(config), "--set", "data.image_size=64"]) == 2
    assert "--set data.image_size: 64: expected [height, width]\n" in capsys.readouterr().err


def test_a_misspelt_command_is_answered_with_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serach", "x.yaml"])
    assert caught.value.code == 2
    assert "did you mean 'search'?" in capsys.readouterr().err


def test_a_misspelt_option_is_answered_with_what_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["search", "x.yaml", "--dryrun"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: nas-ctx search ")
    assert said.endswith("unrecognized arguments: --dryrun; did you mean '--dry-run'?\n")


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("--stps", "--stps; did you mean '--set training.steps=...'?"),
        ("--batch-size", "--batch-size; did you mean '--set data.batch_size=...'?"),
        ("--quit", "--quit; did you mean '--quiet'?"),
        ("--epochs", "--epochs"),
    ],
)
def test_a_key_given_as_an_option_is_answered_with_set(word: str, end: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "x.yaml", word])
    assert capsys.readouterr().err.endswith(f"unrecognized arguments: {end}\n")


def test_bash_completes_commands_options_and_keys() -> None:
    """In a real bash, with the script that the command prints, as bash calls it."""
    asked = {
        "nas-ctx se": "search",
        "nas-ctx data cod": "codebook",
        "nas-ctx search --dry": "--dry-run",
        "nas-ctx train x.yaml --set training.log_": "training.log_every=",
        "nas-ctx completion z": "zsh",
    }
    script = """eval "$(nas-ctx completion bash)"
        ask() {
            COMP_LINE="$1"; COMP_POINT=${#1}; COMP_WORDS=($1); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )); COMPREPLY=()
            _python_argcomplete nas-ctx; echo ${COMPREPLY[@]}
        }
        """ + "\n".join(f"ask '{line}'" for line in asked)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[:-1] == list(asked.values()), done.stderr


@pytest.mark.parametrize(("shell", "word"), [("zsh", "compdef"), ("fish", "complete --command nas-ctx")])
def test_other_shells_get_their_script(shell: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert word in capsys.readouterr().out


# --- dry runs -----------------------------------------------------------------------------------------------------


def test_a_dry_search_says_what_it_costs_and_writes_nothing(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, tiny(rooms, tmp_path / "run"))
    before = everything_in(tmp_path) | everything_in(rooms)
    words = ["search", str(config), "--dry-run", "--set", "training.steps=40"]
    assert main([*words, "--verbose"]) == 0
    long = capsys.readouterr().out
    assert main(words) == 0
    said = capsys.readouterr().out
    assert everything_in(tmp_path) | everything_in(rooms) == before
    configuration = long.removeprefix(said.rpartition("\n\n")[0]).rpartition("\n\n")[0]
    assert yaml.safe_load(configuration)["training"]["steps"] == 40
    assert re.match(r"A step fits: it needs about \d\d\.\d MB for tensors, and the .* has [\d.]+ GB\.\n", said)
    assert "4 blocks: 5^2 x 4^2 = 400 genotypes" in said
    assert re.search(r"^backbone    strides [\d, ]+; channels [\d, ]+; features of 8 x 12$", said, re.MULTILINE)
    assert re.search(r"smallest .* 4 none\n", said)
    assert "12 training images, each seen 13.3 times; 4 to validate" in said
    assert f"{tmp_path / 'run'}: new" in said
    assert max(map(len, said.replace(str(tmp_path), "").splitlines())) <= 80


@pytest.mark.parametrize("command", ["search", "train"])
def test_without_data_a_dry_run_estimates_what_it_does_with_them(rooms: Path, tmp_path: Path, command: str) -> None:
    tasks = {"semseg": {"classes": 9}, "edge": {}}
    with_data, without = (
        preview(tiny_config(rooms, None, data__root=root, tasks=tasks, model__blocks="s-label"), command)
        for root in (str(rooms), str(tmp_path / "nowhere"))
    )
    assert with_data.step is not None
    assert without.step == with_data.step
    assert without.costs == with_data.costs
    assert any("nowhere" in problem for problem in without.problems)


@pytest.mark.parametrize("command", ["search", "train"])
def test_steps_are_timed_and_nothing_is_written(
    rooms: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a clock that goes on by a second whenever it is read, once per step."""
    monkeypatch.chdir(tmp_path)
    config = written(tmp_path, tiny(rooms, tmp_path / "run", training__steps=7_200))
    ticks = itertools.count()
    monkeypatch.setattr("nas_ctx.runs.timing.time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    assert main([command, str(config), "--time", "3"]) == 0
    said = capsys.readouterr().out
    assert "1 s on the" in said
    assert "2 h 0 min for 7 200 steps" in said
    assert "10 h 0 min, one after the other" in said
    assert everything_in(tmp_path) == {config}
    assert main([command, str(config), "--time", "0"]) == 2
    assert main([command, str(config), "--time", "3", "--set", "data.root=nowhere"]) == 2


def test_a_missing_codebook_is_answered_with_its_command(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "codebook.npy"
    config = written(tmp_path, tiny(rooms, None, tasks={"normals": {"codebook": str(missing)}}))
    assert main(["train", str(config), "--dry-run"]) == 2
    assert f"`nas-ctx data codebook DATA --out {missing}` learns one" in capsys.readouterr().err


def test_smallest_and_largest_bound_the_networks_of_the_space(rooms: Path, tmp_path: Path) -> None:
    """Against networks that are really made: their parameters, and the multiply-adds of a real forward pass."""
    config = tiny_config(rooms, tmp_path / "run")
    made, tasks = preview(config, "search"), make_tasks(config.tasks)
    image = torch.rand(1, 3, *config.data.image_size)

    def cost(choices: dict[str, str]) -> tuple[int, int]:
        from torch.utils.flop_counter import FlopCounterMode

        network = network_of(config.model, tasks, choices).eval()
        with FlopCounterMode(display=False) as counter:
            network(image)
        return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2

    for name in ("smallest", "largest"):
        assert cost(made.chosen[name]) == (made.costs[name].parameters, made.costs[name].multiply_adds)
    for context in ("global", "t-label", "local"):
        _, computed = cost(dict.fromkeys(made.choices, context))
        assert made.costs["smallest"].multiply_adds <= computed <= made.costs["largest"].multiply_adds


@pytest.mark.parametrize("space", ["windows:Windows", "scales:Scales", "several_blocks:SeveralBlocks"])
def test_spaces_of_every_kind_are_looked_at_and_so_are_their_networks(rooms: Path, tmp_path: Path, space: str) -> None:
    config = tiny_config(rooms, tmp_path / "run", model__space=f"search_spaces.{space}", tasks={"depth": {}})
    made, tasks = preview(config, "search"), make_tasks(config.tasks)
    assert made.untraceable is None
    for name in ("smallest", "largest"):
        real = network_of(config.model, tasks, made.chosen[name])
        assert made.costs[name].parameters == sum(p.numel() for p in real.parameters())


def test_a_dry_training_looks_at_a_network_of_another_space(rooms: Path, tmp_path: Path) -> None:
    """Its memory is that of a real step, so that the copies NNI makes of fake tensors are as large as the real."""
    blocks = dict.fromkeys(GRID, "5 x 5")
    Genotype(blocks).save(tmp_path / "genotype.json")
    names = {"model__space": "search_spaces.windows:Windows", "model__blocks": str(tmp_path / "genotype.json")}
    config = tiny_config(rooms, tmp_path / "run", **names)
    estimate = preview(config, "train").step
    assert estimate is not None
    assert estimate.memory == pytest.approx(measured_memory(config), rel=0.1)


def test_a_dry_training_looks_at_true_regions(rooms: Path, tmp_path: Path) -> None:
    made = preview(tiny_config(rooms, tmp_path, model__blocks="t-label", model__true_regions=True), "train")
    assert made.untraceable is None
    assert made.step is not None
    assert made.costs["network"].multiply_adds > 0


def test_a_space_that_cannot_be_traced_is_answered_in_one_line(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "peeking.py").write_text(
        "from search_spaces.windows import Windows\n\n\nclass Peeking(Windows):\n"
        "    def forward(self, image):\n        image.mean().item()\n        return super().forward(image)\n"
    )
    config = written(tmp_path, tiny(rooms, tmp_path / "run", model__space="peeking:Peeking"))
    assert main(["search", str(config), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert "4 blocks:" in said.out
    assert re.search(r"costs are unknown without running the network: .*peeking.py, line 6", said.err)
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(("blocks", "optimizer"), [("baseline", "sgd"), ("local", "sgd"), ("baseline", "adamw")])
def test_the_estimated_memory_is_that_of_a_real_step(rooms: Path, tmp_path: Path, blocks: str, optimizer: str) -> None:
    """Within 10 % of what torch's profiler sees allocated, weights, moments and batch included."""
    config = tiny_config(rooms, tmp_path / "run", model__blocks=blocks, training__optimizer=optimizer)
    estimate = preview(config, "train").step
    assert estimate is not None
    assert estimate.memory == pytest.approx(measured_memory(config), rel=0.1)


def measured_memory(config: Config) -> int:
    tasks = make_tasks(config.tasks)
    train = DataModule(**vars(config.data), tasks=tasks).train_set()
    batch = default_collate([dict(train[Draw(0, number)]) for number in range(config.data.batch_size)])
    network = build_network(config.model, tasks)
    optimizer = make_optimizer(network, config.training)["optimizer"]

    def step() -> None:
        torch.stack(list(task_losses(tasks, outputs_of(network, batch), batch).values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    step()
    moments = [tensor for state in optimizer.state.values() for tensor in state.values()]
    kept = [*network.parameters(), *network.buffers(), *moments, *filter(torch.is_tensor, batch.values())]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most + sum(tensor.untyped_storage().nbytes() for tensor in kept)


def test_a_dry_run_names_all_that_would_refuse_the_run(
    tmp_path: Path, rooms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("mine")
    content = tiny(
        rooms, tmp_path / "run", data__root=str(tmp_path / "nowhere"), model__start_from=str(tmp_path / "no")
    )
    assert main(["train", str(written(tmp_path, content)), "--dry-run"]) == 2
    said = capsys.readouterr()
    assert re.search(r"^network +[\d.]+ k +[\d.]+ M", said.out, re.MULTILINE)  # what is known without data is told
    for words in ("is not empty and holds no run", "nowhere", "holds no checkpoint to start from"):
        assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out.startswith("refused ")


# --- show ---------------------------------------------------------------------------------------------------------


def test_a_genotype_is_shown_as_a_grid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    GRID.save(tmp_path / "genotype.json")
    assert main(["show", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("genotype.json: 4 blocks, seed 3, steps 250")
    assert [line.split() for line in lines[2:7]] == [
        ["target", "source"], ["semseg", "depth"], ["semseg", "none", "s-label"], [], ["depth", "local", "t-label"],
    ]  # fmt: skip
    assert "83 %" in lines[7]
    assert "\x1b" not in "".join(lines)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from nas_ctx.cli.terminal import coloured

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured(Terminal())  # type: ignore[arg-type]
    with open(os.devnull) as no_terminal:
        assert not coloured(no_terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())  # type: ignore[arg-type]
    plain, painted = genotype_text.as_text(GRID), genotype_text.as_text(GRID, colour=True)
    assert re.sub(r" *\x1b\[[\d;]*m *", " ", painted).split() == plain.split()


@pytest.mark.parametrize(("name", "begins"), [("g.png", b"\x89PNG"), ("g.svg", b"<svg"), ("g.pdf", b"%PDF")])
@pytest.mark.parametrize("genotype", [GRID, Genotype({"layer1": "conv3", "skip": [0, 2]})], ids=["grid", "list"])
def test_a_genotype_is_drawn(tmp_path: Path, genotype: Genotype, name: str, begins: bytes) -> None:
    genotype.save(tmp_path / "g.json")
    assert main(["show", str(tmp_path / "g.json"), "--out", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_narrow_terminal_gets_abbreviations_and_what_they_mean() -> None:
    assert max(map(len, genotype_text.as_text(GRID, 20).splitlines()[:6])) <= 20
    assert "n = none" in genotype_text.as_text(GRID, 20)


def test_what_cannot_be_shown_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(tmp_path)]) == 2
    assert "holds no genotype, expected genotype.json or consensus.json in it" in capsys.readouterr().err
    GRID.save(tmp_path / "genotype.json")
    assert main(["show", str(tmp_path), "--out", str(tmp_path / "g.bmp")]) == 2
    assert "g.bmp: expected a file name that ends in .svg, .png or .pdf" in capsys.readouterr().err


# --- what a run leaves, and what is not overwritten ---------------------------------------------------------------


def test_a_run_leaves_a_log_with_times(rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = written(tmp_path, tiny(rooms, tmp_path / "run", training__steps=4, training__validate_every=2))
    overrides = ["--set", "search.arch_lr=1.0"]
    assert main(["search", str(config), *overrides]) == 0
    lines = (tmp_path / "run" / "run.log").read_text().splitlines()
    stamps, texts = zip(*(line.split("  ", 1) for line in lines), strict=True)
    assert list(stamps) == sorted(stamps)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}", stamp) for stamp in stamps)
    decided = Genotype.load(tmp_path / "run" / "genotype.json")
    for label, step in decided.meta["decided_at"].items():
        assert f"step {step}: {label} is decided: {decided[label]}" in texts
    assert decided.meta["decided_at"]
    assert [text.split(",")[0][:24] for text in texts if "validation loss" in text] == [
        "step 2: validation loss ", "step 4: validation loss "
    ]  # fmt: skip
    assert texts[-1].startswith("finished after ")
    assert "step" not in capsys.readouterr().err  # the log is for the folder


def test_the_log_says_how_a_run_ended(rooms: Path, tmp_path: Path) -> None:
    content = tiny(rooms, tmp_path / "run")
    content["training"] |= {"lr": 1e9, "steps": 4}  # found after the first step, which has no finite weights
    assert main(["train", str(written(tmp_path, content))]) == 2
    last = (tmp_path / "run" / "run.log").read_text().splitlines()[-1]
    assert "ended by InputError" in last
    assert "for the images" in last


def test_an_earlier_result_is_replaced_and_what_is_not_one_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / f"{name}.json" for name in "ab"]
    for seed, path in enumerate(paths):
        Genotype(GRID, {"seed": seed}).save(path)
    report = ["report", *map(str, paths), "--no-figures", "--draws", "20", "--out"]
    assert main([*report, str(tmp_path / "report")]) == 0
    assert main([*report, str(tmp_path / "report")]) == 0
    (tmp_path / "run").mkdir()
    GRID.save(tmp_path / "run" / "consensus.json")
    assert main([*report, str(tmp_path / "run")]) == 2
    assert "run: is not empty and holds no report.json; name another folder" in capsys.readouterr().err
    assert main(["compare", str(paths[0]), "--with", str(paths[1]), "--out", str(tmp_path / "run")]) == 2
    assert "holds no comparison.json" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["consensus.json"]

    (tmp_path / "holiday.png").write_text("mine")
    assert main(["show", str(paths[0]), "--out", str(tmp_path / "holiday.png")]) == 2
    assert "holiday.png: exists and is something else" in capsys.readouterr().err
    assert (tmp_path / "holiday.png").read_text() == "mine"
    for _ in range(2):
        assert main(["show", str(paths[0]), "--out", str(tmp_path / "g.svg")]) == 0


def test_a_folder_in_place_of_a_file_is_told(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    GRID.save(tmp_path / "g.json")
    (tmp_path / "taken.png").mkdir()
    for words in (
        ["show", "g.json", "--out", "taken.png"],
        ["data", "show", str(rooms), "--out", "."],
        ["data", "codebook", str(rooms), "--out", ".."],
        ["export", "run", "--format", "onnx", "--out", "/"],
    ):
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(": is a folder; expected the name of a file to write")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.json", "taken.png"]


@pytest.mark.parametrize("link", [False, True], ids=["itself", "by a link"])
def test_what_is_no_file_is_not_replaced_by_one(
    rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], link: bool
) -> None:
    """As root, who may: /dev/null of a machine must stay what it is. A pipe stands for it."""
    monkeypatch.chdir(tmp_path)
    GRID.save(tmp_path / "g.json")
    os.mkfifo("pipe.png")
    name = "pipe.png"
    if link:
        name = "link.png"
        Path(name).symlink_to("pipe.png")
    for words in (
        ["show", "g.json", "--out", name],
        ["data", "show", str(rooms), "--out", name],
        ["data", "codebook", str(rooms), "--out", name],
        ["export", "run", "--format", "onnx", "--out", name],
    ):
        assert main(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith(": is a device or the like; expected the name of a file to write")
    with pytest.raises(InputError, match="is a device"):
        write_text(name, "text")
    assert Path("pipe.png").is_fifo()
    assert Path(name).is_symlink() == link


def test_a_genotype_of_an_unknown_context_is_refused_before_there_is_a_folder(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Genotype(dict(GRID) | {"semseg/depth": "lokal"}).save(tmp_path / "g.json")
    content = tiny(rooms, tmp_path / "run", model__blocks=str(tmp_path / "g.json"))
    assert main(["train", str(written(tmp_path, content))]) == 2
    said = capsys.readouterr().err
    assert "g.json: block 'semseg/depth': unknown context 'lokal'; known: " in said
    assert "model.blocks: " in said
    assert said.endswith("did you mean 'local'?\n")
    assert not (tmp_path / "run").exists()


def test_an_unknown_task_is_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    """Also one of an installed package or a plugin is known: tests of plugins say so."""
    path = written(tmp_path, {"data": {"root": "nowhere"}, "tasks": {"sem": {}}})
    code = "import sys; from nas_ctx.cli import main; assert main(sys.argv[1:]) == 2; assert 'torch' not in sys.modules"
    for way in ([], ["--dry-run"], ["--time", "1"]):
        ended = subprocess.run(
            [sys.executable, "-c", code, "train", str(path), *way], capture_output=True, text=True, check=True
        )
        assert "tasks: unknown task 'sem'; known: depth, edge," in ended.stderr
        assert "did you mean 'semseg'?" in ended.stderr


def test_the_names_of_tasks_that_are_known_without_torch_are_those_of_the_package() -> None:
    from nas_ctx.labels import TASK_NAMES
    from nas_ctx.tasks import TASKS

    own = {name for name in TASKS.known() if TASKS[name].__module__.startswith("nas_ctx.tasks.")}
    assert own == set(TASK_NAMES)
