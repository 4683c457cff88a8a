"""What ``--dry-run`` prints: the configuration as resolved, the space, what it costs, what would refuse the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from nas_ctx.errors import InputError

if TYPE_CHECKING:
    from nas_ctx.config import Config
    from nas_ctx.runs.preview import Preview


def dry_run(config: Config, command: str) -> None:
    """Print what ``nas-ctx <command>`` would do.

    Raises:
        InputError: the run would be refused, or cannot be imagined; what could be found out was printed.
    """
    from nas_ctx.config import to_yaml
    from nas_ctx.runs.preview import preview

    print(to_yaml(config))
    made = preview(config, command)
    print(*(f"{name:12s}{text}".rstrip() for name, text in lines(made, config)), sep="\n")
    print("\nNothing was run, and nothing written.")
    if made.problems:
        raise InputError(f"the run would be refused: {'; '.join(made.problems)}")
    if made.unimagined is not None:
        raise InputError(f"the costs cannot be found out without running the network: {made.unimagined}")


def lines(made: Preview, config: Config) -> list[tuple[str, str]]:
    """What there is to say, as (heading, text) pairs."""
    said = []
    if made.choices:
        sizes = Counter(len(candidates) for candidates in made.choices.values())
        product = " x ".join(f"{size}^{count}" for size, count in sorted(sizes.items(), reverse=True))
        said.append(("space", f"{len(made.choices)} blocks: {product} = {grouped(made.genotypes)} genotypes"))
    height, width = config.data.image_size
    if made.costs:
        said.append(("", f"{'parameters':>12s}{'multiply-adds':>16s}  of an image of {height} x {width}"))
    for name, cost in made.costs.items():
        counted = Counter(map(str, made.chosen.get(name, {}).values())).most_common()
        what = ", ".join(f"{count} {word}" for word, count in counted)
        said.append((name, f"{scaled(cost.parameters):>12s}{scaled(cost.multiply_adds):>16s}  {what}"))
    if made.step is not None:
        step, steps = made.step, config.training.steps
        whole = scaled(step.multiply_adds * steps)
        said += [
            ("a step", f"{config.data.batch_size} images, {scaled(step.multiply_adds)} multiply-adds there and back,"),
            ("", f"about {scaled(step.memory)}B of memory for tensors, in 32 bits"),
            ("the run", f"{grouped(steps)} steps, {whole} multiply-adds, validation apart"),
        ]
    if made.images is not None:
        train, val = made.images
        passes = config.training.steps * config.data.batch_size / train
        said.append(("data", f"{train} images to train with, seen {passes:.3g} times each; {val} to validate with"))
    if config.output is not None:
        said.append(("output", f"{config.output}: {'refused' if made.problems else made.begins}"))
    return said


def grouped(number: int) -> str:
    """A whole number with its digits in groups, or rounded where it is very long.

    >>> grouped(62500000000), grouped(5**40)
    ('62 500 000 000', '9.1e+27')
    """
    return f"{number:,}".replace(",", " ") if number < 10**15 else f"{number:.2g}"


def scaled(number: float) -> str:
    """A number with three digits and the SI prefix of its size.

    >>> scaled(284461), scaled(1634766240), scaled(52)
    ('284 k', '1.63 G', '52 ')
    """
    prefixes = ["", "k", "M", "G", "T", "P", "E"]
    while number >= 999.5 and len(prefixes) > 1:
        number /= 1000
        prefixes.pop(0)
    return f"{number:.3g} {prefixes[0]}"
