"""What this machine can do at most: multiply-adds of matrix products, and copying memory. The floor of other figures.

    python experiments/benchmarks/machine.py
    python experiments/benchmarks/machine.py --device cuda --json

gigaflops: of a product of two 1024 x 1024 matrices, in float32; a multiply-add is two operations.
projection_gigaflops: of the product of a projection of contexts, from 67 to 33 channels at 54 x 70 positions; of the
    gradient of its input; of that of its weight.
copy_gigabytes: a second, read and written, of a copy of 256 MB.
"""

from __future__ import annotations

import measure
import torch


def main() -> None:
    options = measure.parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    device = options.device
    square = torch.randn(1024, 1024, device=device)
    x, gradient = (torch.randn(2, channels, 54 * 70, device=device) for channels in (67, 33))
    weight = torch.randn(2, 33, 67, device=device)
    memory = torch.ones(1 << 26, device=device)
    copied = torch.empty_like(memory)
    times = measure.in_turn(
        {
            "square": lambda: square @ square,
            "output": lambda: weight @ x,
            "input": lambda: weight.mT @ gradient,
            "weight": lambda: gradient @ x.mT,
            "copy": lambda: copied.copy_(memory),
        },
        device,
        max(options.repeats, 9),
    )
    projection = 2 * weight.numel() * x.shape[2]
    result = {
        "gigaflops": 2 * 1024**3 / times["square"] / 1e9,
        "projection_gigaflops": {name: projection / times[name] / 1e9 for name in ("output", "input", "weight")},
        "copy_gigabytes": 2 * memory.nbytes / times["copy"] / 1e9,
        "measured_on": measure.device_name(device),
    }
    measure.show(result, options.json)


if __name__ == "__main__":
    main()
