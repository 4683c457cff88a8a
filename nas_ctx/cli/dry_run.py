"""The output of ``--dry-run``: the resolved configuration, the space, its cost, and why the run would be refused."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nas_ctx.cli import terminal
from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from nas_ctx.config import Config
    from nas_ctx.runs.preview import Preview


def dry_run(config: Config, command: str) -> None:
    """Print what ``nas-ctx <command>`` would do.

    Raises:
        InputError: the run would be refused, or its costs are unknown; what is known was printed.
    """
    from nas_ctx.config import to_yaml
    from nas_ctx.runs.preview import preview

    terminal.say(to_yaml(config))
    result = preview(config, command)
    terminal.say(*(f"{heading:12s}{text}".rstrip() for heading, text in lines(result, config)))
    print("\nNothing was run, and nothing was written.")
    if result.problems:
        raise InputError(f"the run would be refused: {'; '.join(result.problems)}")
    if result.untraceable is not None:
        raise InputError(f"the costs are unknown without running the network: {result.untraceable}")


def lines(preview: Preview, config: Config) -> list[tuple[str, str]]:
    """The preview as (heading, text) pairs."""
    texts = []
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
