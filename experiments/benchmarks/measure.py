"""How the benchmarks measure time and memory, and print what they found.

Time: of several functions, run in turn, so that a busy machine is busy for all of them; the median of the repeats. On
one CPU thread it is the processor time of the process, which other programs hardly touch; on several threads it is the
time on the wall; on a GPU it is the time between two events of the device.

Memory: on a GPU the allocator's own peak; on a CPU (Linux) the peak of the resident memory of a child process that runs
nothing else, less what it had after a first step at a tiny size (libraries, kernels, threads) and with the arguments of
the step. The C library is told to give freed blocks back at once, so that the figure is what lives at a time and not
what the allocator keeps.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch


def parser(description: str | None) -> argparse.ArgumentParser:
    """Options that all benchmarks have."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    result.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    result.add_argument("--repeats", type=int, default=3, help="runs of which the median is taken (default: 3)")
    result.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    return result


def seconds(function: Callable[[], object], device: str) -> float:
    """Time of one call."""
    if device != "cpu":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        torch.cuda.synchronize()
        return start.elapsed_time(end) / 1000
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start_time = clock()
    function()
    return clock() - start_time


def in_turn(functions: Mapping[str, Callable[[], object]], device: str, repeats: int) -> dict[str, float]:
    """Median seconds of each function; the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for round_number in range(repeats + 1):
        for name, function in functions.items():
            measured = seconds(function, device)
            if round_number > 0:
                times[name].append(measured)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_megabytes(
    make_step: Callable[..., Callable[[], object]], device: str, tiny: Sequence[Any], full: Sequence[Any]
) -> float:
    """Peak memory of the step ``make_step(*full)`` beyond its own arguments, after a step ``make_step(*tiny)``."""
    if device != "cpu":
        step = make_step(*full)
        step()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_report_peak, args=(sender, make_step, tiny, full, torch.get_num_threads()))
    child.start()
    child.join()
    del os.environ["MALLOC_MMAP_THRESHOLD_"]
    if child.exitcode != 0:
        raise RuntimeError(f"the process that measures memory ended with exit code {child.exitcode}")
    return float(receiver.recv())


def _report_peak(
    sender: Any, make_step: Callable[..., Callable[[], object]], tiny: Any, full: Any, threads: int
) -> None:
    torch.set_num_threads(threads)
    make_step(*tiny)()
    step = make_step(*full)
    before = _resident("VmRSS")
    step()
    step()
    sender.send(_resident("VmHWM") - before)


def _resident(entry: str) -> float:
    """Megabytes of resident memory, now (VmRSS) or at the peak (VmHWM).

    ``getrusage`` will not do: a child process inherits its parent's peak there.
    """
    with open("/proc/self/status") as lines:
        found = next(line.split()[1] for line in lines if line.startswith(entry + ":"))
    return int(found) * 1024 / 1e6


def device_name(device: str) -> str:
    """What the figures were measured on."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    with open("/proc/cpuinfo") as lines:
        names = {line.split(":")[1].strip() for line in lines if line.startswith("model name")}
    return f"{', '.join(sorted(names)) or 'CPU'}, {torch.get_num_threads()} thread(s)"


def facts(options: argparse.Namespace) -> dict[str, Any]:
    """What was measured, and on what, of benchmarks of a network."""
    return {
        "size": list(options.size),
        "batch": options.batch,
        "backbone": options.backbone,
        "measured_on": device_name(options.device),
    }


def rounded(value: Any) -> Any:
    """Numbers to four significant digits, for people."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: rounded(entry) for key, entry in value.items()}
    return [rounded(entry) for entry in value] if isinstance(value, list) else value


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """Print the result: one JSON object, or a line per entry."""
    result = rounded(result)
    if as_json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key}: {value}")
