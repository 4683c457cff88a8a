"""The method without NNI: choices, schedules, cost, history and mixed layers are plain torch."""

import ast
import csv
import json
import subprocess
import sys
from pathlib import Path

import nas_ctx.search

FOLDER = Path(nas_ctx.search.__file__).parent
PLAIN = [
    ".".join(["nas_ctx", "search", *file.relative_to(FOLDER).with_suffix("").parts]).removesuffix(".__init__")
    for file in sorted(FOLDER.rglob("*.py"))
    if "nni" not in file.relative_to(FOLDER).parts
]
SEARCH = """
import sys
sys.modules["nni"] = sys.modules["pytorch_lightning"] = None  # importing them fails

import json
import torch
from torch import nn
from nas_ctx.search import Choice, Choices, HistoryWriter
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.schedule import LinearSchedule
from nas_ctx.search.supernet.layer import MixedLayer, freeze_pruned

torch.manual_seed(0)
choices = Choices({label: Choice(label, ["linear", "zero"]) for label in ("first", "second")}, seed=1)
first, second = (
    MixedLayer({"linear": nn.Linear(4, 4), "zero": nn.Threshold(1e9, 0.0)}, choice) for choice in choices
)
readout = nn.Linear(4, 1)
supernet = nn.ModuleList([first, second, readout])
x = torch.randn(64, 4)
y = x @ torch.tensor([[2.0], [-1.0], [0.5], [3.0]])  # needs the first layer; the second is of no use
cost = ExpectedCost(supernet, choices, "parameters")
alphas = [choice.alpha for choice in choices]
weights = [p for p in supernet.parameters() if all(p is not alpha for alpha in alphas)]
adam, sgd = torch.optim.Adam(alphas, lr=0.05), torch.optim.SGD(weights, lr=0.02, momentum=0.9, weight_decay=1e-3)
temperature, entropy_weight = LinearSchedule(1.0, 0.05), LinearSchedule(-0.02, 0.06)
history = HistoryWriter(sys.argv[1], choices)
steps, pruned = 150, None
for step in range(steps):
    now = temperature.at(step, steps), entropy_weight.at(step, steps)
    choices.sample(step, now[0])
    loss = nn.functional.mse_loss(readout(first(x) + 0.0 * second(x)), y)
    loss = loss + now[1] * choices.mean_entropy() + 0.5 * cost()
    adam.zero_grad()
    sgd.zero_grad()
    loss.backward()
    adam.step()
    sgd.step()
    choices.forget()
    if choices.decide(0.3, step + 1):
        freeze_pruned(supernet)
    if choices["second"].decided and pruned is None:
        pruned = second["linear"].weight.clone()
    rows = [list(distribution.values()) for distribution in choices.distributions().values()]
    history.append(step + 1, *now, float(choices.mean_entropy()), rows)
history.close()
print(json.dumps({
    "decisions": choices.decisions(),
    "loss": float(nn.functional.mse_loss(readout(first.eval()(x)), y)),
    "unchanged": torch.equal(second["linear"].weight, pruned),
    "evaluated": [len(layer.active_candidates) for layer in (first, second)],
    "weights": sorted(first.state_dict()),
}))
"""


def run(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_plain_parts_loads_no_nni() -> None:
    assert {
        "nas_ctx.search",
        "nas_ctx.search.choice",
        "nas_ctx.search.choices",
        "nas_ctx.search.supernet.layer",
    } <= set(PLAIN)
    blocked = "import importlib, sys\nsys.modules['nni'] = sys.modules['pytorch_lightning'] = None\n"
    run(f"{blocked}for name in {PLAIN}: importlib.import_module(name)")
    assert "nni" not in run(f"import {', '.join(PLAIN)}, sys; print(*sys.modules)").split()


def test_a_supernet_is_searched_in_plain_torch(tmp_path: Path) -> None:
    result = json.loads(run(SEARCH, str(tmp_path / "history.csv")))
    assert [decision[:2] for decision in result["decisions"]] == [["first", "linear"], ["second", "zero"]]
    assert all(probability > 0.65 for *_, probability in result["decisions"])  # a margin of 0.3 between two
    assert result["loss"] < 0.1
    assert result["unchanged"]
    assert result["evaluated"] == [1, 1]
    assert result["weights"] == ["architecture.alpha", "architecture.state", "linear.bias", "linear.weight"]
    with (tmp_path / "history.csv").open(newline="") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == list(range(1, 151))


def test_only_the_adapter_touches_nnis_private_modules() -> None:
    public = {"nni", "nni.mutable", "nni.nas.evaluator.pytorch", "nni.nas.nn.pytorch", "nni.nas.space"}
    public |= {"nni.tools.package_utils", "nni.tuner"}  # the list of tuners, as `nnictl algo` shows it; their base
    root = FOLDER.parents[1]
    for file in sorted([*(root / "nas_ctx").rglob("*.py"), *(root / "search_spaces").rglob("*.py")]):
        if FOLDER / "nni" in file.parents:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            private = [name for name in names if name.split(".")[0] == "nni" and name not in public]
            assert not private, f"{file}:{node.lineno}: {private}"
