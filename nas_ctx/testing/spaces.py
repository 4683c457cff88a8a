"""What every search space must do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.nn.pytorch.base import MutableModule
from numpy.random import RandomState
from torch import Tensor, nn

from nas_ctx.errors import InputError
from nas_ctx.genotype import CONTEXT_NAMES, Genotype
from nas_ctx.models import Backbone
from nas_ctx.models.spaces import SPACES, MakeSpace, freeze, make_space
from nas_ctx.search import GumbelSearch
from nas_ctx.testing.networks import SIZE, SMALL, TASKS, check_outputs
from nas_ctx.testing.saying import doing, expect, name_of

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

    Raises:
        AssertionError: says what is wrong and how to mend it.

    >>> check_space("relational", contexts=["none", "local"])
    """
    own = space if isinstance(space, str) else name_of(space)
    arguments = (torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(0)),) if inputs is None else inputs

    def make(**given: Any) -> ModelSpace:
        torch.manual_seed(0)
        if inputs is not None:
            assert not isinstance(space, str)
            make_any: Any = space
            made: Any = make_any()
        else:
            made = _made(space, options, {"contexts": list(contexts), **given})
        expect(isinstance(made, ModelSpace), f"{own}: expected an nni.nas.nn.pytorch.ModelSpace, got a {name_of(made)}")
        return made

    def run(network: nn.Module, what: str) -> Any:
        with doing(f"{own}: {what}"):
            outputs = network(*arguments)
        if inputs is None:
            check_outputs(outputs, f"{own}: {what}")
        return outputs

    _can_be_searched(make, run, own)
    _genotypes_can_be_trained(make, run, own)


def _made(space: Any, options: Mapping[str, Any] | None, given: dict[str, Any]) -> Any:
    name = space if isinstance(space, str) else f"<{name_of(space)}>"
    if not isinstance(space, str):
        with doing(name_of(space), "A space is called with (backbone, tasks, **options)"):
            SPACES.register(name)(space)
    try:
        return make_space(name, Backbone(SMALL), TASKS, options, **given)
    except InputError as error:
        raise AssertionError(str(error)) from error
    except (AssertionError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise AssertionError(f"{name}: making it raised {type(error).__name__}: {error}") from error
    finally:
        if not isinstance(space, str):
            SPACES.pop(name, None)


def _can_be_searched(make: Callable[..., ModelSpace], run: Callable[[nn.Module, str], Any], own: str) -> None:
    space = make(affine=False, dropout=0.0)
    expect(bool(space.simplify()), f"{own}: has no choice: nothing to search. Use nni.nas.nn.pytorch.LayerChoice")
    strategy = GumbelSearch(seed=0)
    with doing(f"{own}: making the supernet", "docs/spaces.md lists what GumbelSearch can search"):
        supernet = strategy.mutate_model(space).train()
    for label in strategy.choices.by_label:
        expect(
            not label.startswith("global/"),
            f"{own}: a choice goes by the number {label!r}. Give every choice a label: reports compare runs by labels",
        )
    _wake(supernet)
    strategy.choices.sample(0, temperature=1.0)
    total = torch.stack([x.square().mean() for x in _tensors(run(supernet, "the supernet"))]).sum()
    with doing(f"{own}: the backward pass of the supernet"):
        total.backward()
    for choice in strategy.choices:
        gradient = choice.alpha.grad
        expect(
            len(choice.values) == 1 or (gradient is not None and float(gradient.abs().max()) > 0),
            f"{own}: the choice {choice.label!r} makes no difference to the output: nothing could be learnt about it. "
            "Is its result used in forward, and are its candidates different?",
        )


def _genotypes_can_be_trained(make: Callable[..., ModelSpace], run: Callable[[nn.Module, str], Any], own: str) -> None:
    for seed in range(SAMPLES):
        space = make(affine=True, dropout=0.05)
        with doing(f"{own}: drawing a network at random"):
            sample: dict[str, Any] = {}
            for mutable in space.simplify().values():
                mutable.random(sample, random_state=RandomState(seed))
            written = json.dumps(Genotype(sample).to_json())
        genotype = Genotype.from_json(json.loads(written))
        what = f"the network of {dict(genotype)}"
        with doing(
            f"{own}: {what}: `freeze`",
            "NNI's own freezes layer and input choices; a space with `add_mutable` defines `freeze(sample)` itself",
        ):
            network = freeze(space, genotype, "the genotype")
        left = [name for name, part in network.named_modules() if isinstance(part, MutableModule) and part.mutables]
        expect(not left, f"{own}: {what} still has choices, in {left[:3]}: `freeze` must return a network without any")
        outputs = run(network.train(), what)
        learning = [p for p in network.parameters() if p.requires_grad]
        if learning:
            with doing(f"{own}: {what}: the backward pass"):
                torch.stack([x.square().mean() for x in _tensors(outputs)]).sum().backward()
            expect(any(p.grad is not None for p in learning), f"{own}: {what} learns nothing: no gradient arrives")


def _tensors(outputs: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and mappings."""
    if isinstance(outputs, Tensor):
        return [outputs] if outputs.is_floating_point() else []
    inner = outputs.values() if isinstance(outputs, Mapping) else outputs if isinstance(outputs, list | tuple) else ()
    return [tensor for part in inner for tensor in _tensors(part)]


def _wake(supernet: nn.Module) -> None:
    """What starts at zero on purpose would hide whether a choice makes a difference."""
    for name, parameter in supernet.named_parameters():
        if not name.endswith("alpha") and not bool(parameter.any()):
            nn.init.normal_(parameter, std=0.1)
