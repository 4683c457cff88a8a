"""The output of ``--dry-run``: whether a run fits this device, its cost, its space, and why it would be refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nas_ctx.cli import terminal
from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from nas_ctx.config import Config
    from nas_ctx.runs.preview import Preview


def dry_run(config: Config, command: str, verbose: bool = False) -> None:
    """Print what ``nas-ctx <command>`` would do; with ``verbose`` the resolved configuration, too.

    Raises:
        InputError: the run would be refused, or its costs are unknown; what is known was printed.
    """
    from nas_ctx.config import to_yaml
    from nas_ctx.runs.preview import preview

    result = preview(config, command)
    terminal.say(*(f"refused     {problem}" for problem in result.problems))
    if result.step is not None:
        terminal.say(answer(result.step.memory, *memory_of(config.training.accelerator)) + "\n")
    terminal.say(*(f"{heading:12s}{text}".rstrip() for heading, text in lines(result, config)))
    if verbose:
        terminal.say("", to_yaml(config).rstrip())
    print("\nNothing was run, and nothing was written.")
    if result.problems:
        raise InputError(f"the run would be refused: {'; '.join(result.problems)}")
    if result.untraceable is not None:
        raise InputError(f"the costs are unknown without running the network: {result.untraceable}")


def time_run(config: Config, command: str, steps: int) -> None:
    """Print what ``steps`` real steps of ``nas-ctx <command>`` took, and what that makes of a run and of five.

    Raises:
        InputError: a number of steps below 1, or the run would be refused.
    """
    if steps < 1:
        raise InputError(f"--time {steps}: expected at least 1 step")
    from nas_ctx.runs.callbacks.log import duration
    from nas_ctx.runs.timing import time_steps

    timing = time_steps(config, command, steps)
    whole = timing.seconds * config.training.steps
    terminal.say(
        f"a step      {timing.seconds:.3g} s on the {timing.device}, with the loading of its images",
        f"a run       {duration(whole)} for {grouped(config.training.steps)} steps, and validation",
        f"five        {duration(5 * whole)}, one after the other",
    )
    if timing.memory is not None:
        terminal.say(f"memory      {scaled(timing.memory)}B of the device at most")
    print("\nNothing was written.")


def answer(needed: int, device: str, there: int) -> str:
    """Whether a step fits, in one line; torch and its allocator take something on top of the tensors.

    >>> answer(3_200_000_000, "processor", 16_000_000_000)
    'A step fits: it needs about 3.2 GB for tensors, and the processor has 16 GB.'
    """
    verdict = "fits" if needed < 0.8 * there else "may not fit" if needed < there else "does not fit"
    return f"A step {verdict}: it needs about {scaled(needed)}B for tensors, and the {device} has {scaled(there)}B."


def memory_of(accelerator: str) -> tuple[str, int]:
    """The device that a run would use, and its memory in bytes."""
    import psutil
    import torch

    if accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available():
        return torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory
    return "processor", psutil.virtual_memory().total


def lines(preview: Preview, config: Config) -> list[tuple[str, str]]:
    """The preview as (heading, text) pairs."""
    texts = []
    if preview.backbone is not None:
        texts.append(("backbone", preview.backbone))
    if preview.choices:
        sizes = Counter(len(candidates) for candidates in preview.choices.values())
        product = " x ".join(f"{size}^{count}" for size, count in sorted(sizes.items(), reverse=True))
        texts.append(("space", f"{len(preview.choices)} blocks: {product} = {grouped(preview.genotypes)} genotypes"))
    height, width = config.data.image_size
    if preview.costs:
        texts.append(("", f"{'parameters':>12s}{'multiply-adds':>16s}  of an image of {height} x {width}"))
    for name, cost in preview.costs.items():
        counts = Counter(map(str, preview.chosen.get(name, {}).values())).most_common()
        blocks = ", ".join(f"{count} {choice}" for choice, count in counts)
        texts.append((name, f"{scaled(cost.parameters):>12s}{scaled(cost.multiply_adds):>16s}  {blocks}"))
    steps, batch = config.training.steps, config.data.batch_size
    if preview.step is not None:
        step = preview.step
        texts += [
            ("a step", f"{batch} images, {scaled(step.multiply_adds)} multiply-adds (forward + backward),"),
            ("", f"about {scaled(step.memory)}B of memory for tensors, in 32 bits"),
            ("the run", f"{grouped(steps)} steps, {scaled(step.multiply_adds * steps)} multiply-adds, and validation"),
        ]
    if preview.cached is not None:
        texts.append(("cached", preview.cached))
    if preview.images is not None:
        train, val = preview.images
        texts.append(
            ("data", f"{train} training images, each seen {steps * batch / train:.3g} times; {val} to validate")
        )
    texts += [("odd", line) for line in preview.odd]
    if config.output is not None:
        texts.append(("output", f"{config.output}: {'refused' if preview.problems else preview.begins}"))
    return texts


def grouped(number: int) -> str:
    """An integer with its digits in groups, rounded where it is very long.

    >>> grouped(62500000000), grouped(5**40)
    ('62 500 000 000', '9.1e+27')
    """
    return f"{number:,}".replace(",", " ") if number < 10**15 else f"{number:.2g}"


def scaled(number: float) -> str:
    """A number with three digits and an SI prefix.

    >>> scaled(284461), scaled(1634766240), scaled(52)
    ('284 k', '1.63 G', '52 ')
    """
    prefixes = ["", "k", "M", "G", "T", "P", "E"]
    while number >= 999.5 and len(prefixes) > 1:
        number /= 1000
        prefixes.pop(0)
    return f"{number:.3g} {prefixes[0]}"
