"""Two real processes that each see a part of the set report the score of the whole set."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from nas_ctx.metrics import AngularErrors, BoundaryF, DepthErrors, MaxF, MeanIoU


def example() -> list[tuple[type, tuple, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)

    def rand(*size: int) -> Tensor:
        return torch.rand(size, generator=generator)

    return [
        (MeanIoU, (4,), (rand(5, 6, 7) * 4).long(), (rand(5, 6, 7) * 4).long()),
        (DepthErrors, (), rand(5, 1, 6, 7) + 1, rand(5, 1, 6, 7) + 1),
        (AngularErrors, (), rand(5, 3, 6, 7), rand(5, 3, 6, 7)),
        (MaxF, (), rand(5, 6, 7), (rand(5, 6, 7) < 0.5).long()),
        (BoundaryF, (0.1, 9), rand(5, 1, 6, 7), (rand(5, 1, 6, 7) < 0.3).float()),
    ]


def share_of_the_work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    scores = []
    for kind, arguments, prediction, label in example():
        metric = kind(*arguments)
        part = slice(0, 2) if rank == 0 else slice(2, None)  # uneven on purpose
        metric.update(prediction[part], label[part])
        scores.append(metric.compute())
    torch.save(scores, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason="this build of torch cannot talk between processes on the CPU")
def test_scores_of_two_processes_are_those_of_one(tmp_path: Path):
    context = multiprocessing.get_context("forkserver")
    workers = [context.Process(target=share_of_the_work, args=(rank, str(tmp_path)), daemon=True) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    together = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for place, (kind, arguments, prediction, label) in enumerate(example()):
        alone = kind(*arguments)
        alone.update(prediction, label)
        for scores in together:
            for name, value in alone.compute().items():
                torch.testing.assert_close(scores[place][name], value, rtol=1e-12, atol=1e-12)
