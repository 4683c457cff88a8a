"""What does a training sample cost? Prints milliseconds an image; OMP_NUM_THREADS keeps it to one core.

OMP_NUM_THREADS=1 python experiments/benchmarks/data_loading.py [H W]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable

from nas_ctx.data import NYUD, DataModule, Draw
from nas_ctx.data.rooms import ROOMS_CLASSES, write_rooms
from nas_ctx.data.transforms import EvalTransform, TrainTransform
from nas_ctx.tasks import make_tasks

IMAGES, ROUNDS = 16, 4


def milliseconds(work: Callable[[int], object]) -> float:
    """The mean time of ``work(i)``, the best of a few rounds: other processes only ever add."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for i in range(IMAGES):
            work(i)
        rounds.append((time.perf_counter() - start) / IMAGES)
    return 1000 * min(rounds)


def main() -> None:
    """Time the parts of a sample, then whole batches with and without worker processes."""
    size = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (96, 128)
    tasks = make_tasks({"semseg": {"classes": len(ROOMS_CLASSES)}, "depth": {}, "normals": {}, "edge": {}})
    with tempfile.TemporaryDirectory() as folder:
        write_rooms(folder, train=IMAGES, val=1, size=size)
        dataset = NYUD(folder, "train", tasks)
        samples = [dataset.read(i) for i in range(IMAGES)]
        train, evaluate = TrainTransform(tasks, size, seed=0), EvalTransform(tasks, size)
        print(f"one image of {size[0]} x {size[1]} with {len(tasks)} labels, one core, ms:")
        print(f"  read its files            {milliseconds(dataset.read):6.2f}")
        print(f"  augment for training      {milliseconds(lambda i: train(samples[i], Draw(0, i))):6.2f}")
        print(f"  prepare for evaluation    {milliseconds(lambda i: evaluate(samples[i], Draw(0, i))):6.2f}")
        for workers in (0, 1, 2):
            loader = DataModule("nyud", folder, tasks, size, batch_size=8, workers=workers).train_dataloader()
            list(loader)
            start = time.perf_counter()
            for _ in range(ROUNDS):
                list(loader)
            each = 1000 * (time.perf_counter() - start) / (ROUNDS * IMAGES)
            print(f"  batches of 8, {workers} worker(s)   {each:6.2f}")


if __name__ == "__main__":
    main()
