"""What does a training sample cost? Milliseconds an image; OMP_NUM_THREADS keeps it to one core.

Of its parts the processor time, which other programs hardly touch; of batches, which worker processes may make, the
time on the wall.

OMP_NUM_THREADS=1 python experiments/benchmarks/data_loading.py --size 425 560
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

from nas_ctx.data import NYUD, DataModule, Draw
from nas_ctx.data.rooms import ROOMS_CLASSES, write_rooms
from nas_ctx.data.transforms import EvalTransform, TrainTransform
from nas_ctx.tasks import make_tasks

IMAGES, ROUNDS = 16, 4


def milliseconds(work: Callable[[int], object]) -> float:
    """The mean processor time of ``work(i)``, the best of a few rounds: other processes only ever add."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for i in range(IMAGES):
            work(i)
        rounds.append((time.process_time() - start) / IMAGES)
    return 1000 * min(rounds)


def main() -> None:
    """Time the parts of a sample, then whole batches with and without worker processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128), help="height and width of the images")
    height, width = size = tuple(parser.parse_args().size)
    tasks = make_tasks({"semseg": {"classes": len(ROOMS_CLASSES)}, "depth": {}, "normals": {}, "edge": {}})
    with tempfile.TemporaryDirectory() as folder:
        write_rooms(folder, train=IMAGES, val=1, size=size)
        dataset = NYUD(folder, "train", tasks)
        samples = [dataset.read(i) for i in range(IMAGES)]
        train, evaluate = TrainTransform(tasks, size, seed=0), EvalTransform(tasks, size)
        print(f"one image of {height} x {width} with {len(tasks)} labels, ms of processor time:")
        print(f"  read its files            {milliseconds(dataset.read):6.2f}")
        print(f"  augment for training      {milliseconds(lambda i: train(samples[i], Draw(0, i))):6.2f}")
        print(f"  prepare for evaluation    {milliseconds(lambda i: evaluate(samples[i], Draw(0, i))):6.2f}")
        print("one image of a batch of 8, ms on the wall:")
        for workers in (0, 1, 2):
            loader = DataModule("nyud", folder, tasks, size, batch_size=8, workers=workers).train_dataloader()
            list(loader)
            start = time.perf_counter()
            for _ in range(ROUNDS):
                list(loader)
            each = 1000 * (time.perf_counter() - start) / (ROUNDS * IMAGES)
            print(f"  {workers} workers                 {each:6.2f}")


if __name__ == "__main__":
    main()
