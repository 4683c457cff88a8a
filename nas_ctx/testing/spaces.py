"""Requirements on every search space."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from nni.nas.nn.pytorch import ModelSpace, MutableModule
from numpy.random import RandomState
from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES
from nas_ctx.genotype import Genotype
from nas_ctx.models import SPACES, Backbone, MakeSpace, freeze, make_space
from nas_ctx.search import GumbelSearch
from nas_ctx.testing.messages import about, doing, expect, name_of
from nas_ctx.testing.modules import wake
from nas_ctx.testing.networks import SIZE, SMALL, TASKS, check_outputs, noise

SAMPLES = 3
"""How many networks of a space are tried."""


def check_space(
    space: MakeSpace | Callable[[], ModelSpace] | str,
    options: Mapping[str, Any] | None = None,
    *,
    contexts: Sequence[str] = CONTEXT_NAMES,
    inputs: tuple[Any, ...] | None = None,
) -> None:
    """Check a space: that it can be searched, that every choice matters, and that its genotypes can be trained.

    Args:
        space: what ``model.space`` may name: called with ``(backbone, tasks, **options)``; or a name or path. With
            ``inputs``, something that makes any ``ModelSpace`` when it is called without arguments.
        options: as in ``model.space_options``.
        contexts: as in ``model.contexts``.
        inputs: of ``forward``, for a space that is not a network from images to tasks; it gives tensors, in a tuple,
            list or dictionary as it likes.

    >>> check_space("relational", contexts=["none", "local"])
    """

    def make(**given: Any) -> ModelSpace:
        torch.manual_seed(0)
        make_any: Any = space
        model = make_any() if inputs is not None else _make(space, options, {"contexts": list(contexts), **given})
        expect(isinstance(model, ModelSpace), f"expected an nni.nas.nn.pytorch.ModelSpace, got a {name_of(model)}")
        return model

    def run(network: nn.Module, what: str) -> list[Tensor]:
        with doing(what):
            outputs = network(*(inputs or (noise(3, *SIZE),)))
        if inputs is None:
            with about(f"{what}: "):
                check_outputs(outputs)
        return _tensors(outputs)

    with about(f"{space if isinstance(space, str) else name_of(space)}: "):
        _can_be_searched(make, run)
        for seed in range(SAMPLES):
            _genotype_can_be_trained(make, run, seed)


def _make(space: Any, options: Mapping[str, Any] | None, given: dict[str, Any]) -> Any:
    """The space, made as a configuration would have it made: found by its name."""
    if isinstance(space, str):
        with doing("making it"):
            return make_space(space, Backbone(SMALL), TASKS, options, **given)
    name = f"<{name_of(space)}>"
    with doing("filing it", "A space is called with (backbone, tasks, **options)"):
        SPACES.register(name)(space)
    try:
        return _make(name, options, given)
    finally:
        SPACES.pop(name, None)


def _can_be_searched(make: Callable[..., ModelSpace], run: Callable[[nn.Module, str], list[Tensor]]) -> None:
    space = make(affine=False, dropout=0.0)
    expect(bool(space.simplify()), "has no choice: nothing to search. Use nni.nas.nn.pytorch.LayerChoice")
    strategy = GumbelSearch(seed=0)
    with doing("making the supernet", "docs/spaces.md lists what GumbelSearch can search"):
        supernet = strategy.mutate_model(space).train()
    for label in strategy.choices.by_label:
        expect(
            not label.startswith("global/"),
            f"a choice goes by the number {label!r}. Give every choice a label: reports compare runs by labels",
        )
    wake(supernet)
    strategy.choices.sample(0, temperature=1.0)
    total = _sum_of_squares(run(supernet, "the supernet"))
    with doing("the backward pass of the supernet"):
        total.backward()
    for choice in strategy.choices:
        gradient = choice.alpha.grad
        expect(
            len(choice.values) == 1 or (gradient is not None and float(gradient.abs().max()) > 0),
            f"the choice {choice.label!r} makes no difference to the output: nothing could be learnt about it. "
            "Is its result used in forward, and are its candidates different?",
        )


def _genotype_can_be_trained(
    make: Callable[..., ModelSpace], run: Callable[[nn.Module, str], list[Tensor]], seed: int
) -> None:
    space = make(affine=True, dropout=0.05)
    with doing("drawing a network at random"):
        sample: dict[str, Any] = {}
        for mutable in space.simplify().values():
            mutable.random(sample, random_state=RandomState(seed))
        genotype = Genotype.from_json(json.loads(json.dumps(Genotype(sample).to_json())))
    what = f"the network of {dict(genotype)}"
    hint = "NNI's own freezes layer and input choices; a space with `add_mutable` defines `freeze(sample)` itself"
    with doing(f"{what}: `freeze`", hint):
        network = freeze(space, genotype, "the genotype")
    left = [name for name, part in network.named_modules() if isinstance(part, MutableModule) and part.mutables]
    expect(not left, f"{what} still has choices, in {left[:3]}: `freeze` must return a network without any")
    outputs = run(network.train(), what)
    learning = [p for p in network.parameters() if p.requires_grad]
    if learning:
        with doing(f"{what}: the backward pass"):
            _sum_of_squares(outputs).backward()
        expect(any(p.grad is not None for p in learning), f"{what} learns nothing: no gradient arrives")


def _tensors(outputs: Any) -> list[Tensor]:
    """All tensors of floating point in nested tuples, lists and mappings."""
    if isinstance(outputs, Tensor):
        return [outputs] if outputs.is_floating_point() else []
    inner = outputs.values() if isinstance(outputs, Mapping) else outputs if isinstance(outputs, list | tuple) else ()
    return [tensor for part in inner for tensor in _tensors(part)]


def _sum_of_squares(outputs: Sequence[Tensor]) -> Tensor:
    return torch.stack([x.square().mean() for x in outputs]).sum()
