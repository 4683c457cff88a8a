"""What it costs to record every step of a search, over the step itself.

    python experiments/benchmarks/recording.py               # 64 x 96 pixels and a tiny backbone: the shortest of steps
    python experiments/benchmarks/recording.py --size 425 560 --backbone hrnet_w18_small_v2

recording_ratio: entropy, probabilities and a row of history.csv for 16 blocks, over a forward and backward pass of the
    whole network with every candidate evaluated, in turn.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import measure
import search_step
import torch

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.contexts import candidates
from nas_ctx.models.grid import label
from nas_ctx.search import Choice, Choices, HistoryWriter


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(64, 96), help="height and width of the images")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--backbone", default="test_efficientnet")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = {label(t, s): list(candidates(t, s, CONTEXT_NAMES)) for t in search_step.TASKS for s in search_step.TASKS}
    choices = Choices({name: Choice(name, values) for name, values in names.items()}, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        history = HistoryWriter(Path(folder) / "history.csv", choices)

        def record() -> None:
            with torch.no_grad():
                entropy = float(choices.mean_entropy())
                distributions = choices.distributions()
            rows = [list(distribution.values()) for distribution in distributions.values()]
            history.append(1, 1.0, 0.0, entropy, rows)

        step = search_step.network_step("search", tuple(options.size), options.batch, options.backbone, options.device)
        seconds = measure.in_turn({"record": record, "step": step}, options.device, options.repeats)
        history.close()
    result = {
        "recording_ratio": seconds["record"] / seconds["step"],
        "seconds": seconds,
    }
    measure.show(result | measure.facts(options), options.json)


if __name__ == "__main__":
    main()
