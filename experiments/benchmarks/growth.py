"""How time and memory of a search step grow with tasks, pixels, window and batch.

    python experiments/benchmarks/growth.py
    python experiments/benchmarks/growth.py --json --size 27 35

One quantity varies at a time, the others stand at 4 tasks, the size given, a window of 9 and a batch of 2. The exponent
is the slope of a line through the logarithms: 1 is linear. Blocks are tasks squared; a window of width w has w²
positions.
"""

from __future__ import annotations

from typing import Any

import measure
import numpy as np
import torch
from search_step import grid_step

TASKS = [2, 4, 6, 9]
SIDES = [1, 2, 4]
WINDOWS = [5, 9, 13, 17]
BATCHES = [1, 2, 4]


def exponent(x: list[float], y: list[float]) -> float:
    """The slope of log y over log x by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def main() -> None:
    parser = measure.parser(__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(18, 24), help="height and width of the features")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    height, width = options.size
    device = options.device
    tiny = ("ours", (5, 5), 1, ["a", "b"], device)

    def arguments(tasks: int = 4, side: int = 1, window: int = 9, batch: int = 2) -> tuple[Any, ...]:
        names = [f"task{number}" for number in range(tasks)]
        return "ours", (side * height, side * width), batch, names, device, 67, 40, window

    series = {
        "blocks": ([n**2 for n in TASKS], [arguments(tasks=n) for n in TASKS]),
        "pixels": ([height * width * side**2 for side in SIDES], [arguments(side=side) for side in SIDES]),
        "window_positions": ([w**2 for w in WINDOWS], [arguments(window=w) for w in WINDOWS]),
        "batch": (BATCHES, [arguments(batch=batch) for batch in BATCHES]),
    }
    result: dict[str, Any] = {}
    for name, (values, all_arguments) in series.items():
        steps = {str(value): grid_step(*each) for value, each in zip(values, all_arguments, strict=True)}
        seconds = list(measure.in_turn(steps, device, options.repeats).values())
        megabytes = [measure.peak_megabytes(grid_step, device, tiny, each) for each in all_arguments]
        result[name] = {
            "values": values,
            "seconds": seconds,
            "megabytes": megabytes,
            "time_exponent": exponent(values, seconds),
            "memory_exponent": exponent(values, megabytes),
        }
    result |= {"size": [height, width], "measured_on": measure.device_name(device)}
    measure.show(result, options.json)


if __name__ == "__main__":
    main()
