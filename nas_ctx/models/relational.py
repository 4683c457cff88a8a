"""Relational context as a part of any network: it refines the features of several tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch
from nni.mutable import frozen_context, label_scope
from nni.nas.nn.pytorch import LayerChoice
from torch import Tensor, nn

from nas_ctx.context_types import CONTEXT_NAMES, LABEL_CONTEXTS, SAME_ON_DIAGONAL
from nas_ctx.contexts import CONTEXTS, candidates
from nas_ctx.contexts.attention import region_map
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import Genotype
from nas_ctx.models.grid import ContextGrid, MakeBlock, label
from nas_ctx.models.heads import AuxiliaryHead
from nas_ctx.models.network import upsampled
from nas_ctx.tasks.losses import cross_entropy

MakeContext = Callable[..., nn.Module]
"""``(in_channels, channels, *, affine)`` to a context."""


class Refined(NamedTuple):
    """``features``: {task: (B, C, h, w)}, refined. ``auxiliary``: {task: (B, regions, h, w)}, the logits of the label
    regions, to be trained by :func:`region_loss`; empty where there are no auxiliary heads."""

    features: dict[str, Tensor]
    auxiliary: dict[str, Tensor]


class RelationalContext(nn.Module):
    """Lets every task of a network look at the features of every task, by one context type per pair.

    It goes between the parts of a network that make one feature map per task and those that read predictions off
    them. Without ``genotype`` its blocks are NNI layer choices labelled ``"<target>/<source>"``: make it in the
    ``__init__`` of a ``ModelSpace`` and search that. With one it is an ordinary module.

    Label contexts gather by the regions that a task's labels fall into. ``regions`` says how many these are; then an
    auxiliary head predicts them from the task's features, where a block reads them, and :func:`region_loss` trains it.
    Region maps may also be given to ``forward``. Other context types need neither.

    Args:
        tasks: their names, in the order of the grid.
        channels: of every task's features.
        genotype: the context type of each block: a mapping (which may hold choices of other parts of the network too),
            a genotype file, or the name of one type for all blocks; None leaves them to a search.
        regions: task -> number of regions of its labels, for auxiliary heads.
        contexts: the candidates of a search.
        dropout: of the refined features.
        recompute: less memory for more time, see :class:`~nas_ctx.models.grid.ContextGrid`.

    Raises:
        InputError: the genotype lacks a block or names an unknown type, or label contexts get no regions.
        RuntimeError: no genotype, outside of a model space.

    >>> import torch
    >>> features = {"depth": torch.rand(2, 8, 6, 5), "edge": torch.rand(2, 8, 6, 5)}
    >>> context = RelationalContext(features, 8, genotype="local")
    >>> context(features).features["edge"].shape
    torch.Size([2, 8, 6, 5])
    >>> from nni.nas.nn.pytorch import ModelSpace
    >>> class Space(ModelSpace):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.context = RelationalContext(features, 8, regions={"depth": 40, "edge": 2})
    >>> Space().simplify()["depth/edge"]
    Categorical(['none', 'global', 'local', 't-label', 's-label'], label='depth/edge')
    """

    def __init__(
        self,
        tasks: Iterable[str],
        channels: int,
        genotype: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        regions: Mapping[str, int] | None = None,
        contexts: Sequence[str] = CONTEXT_NAMES,
        dropout: float = 0.0,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        names = list(tasks)
        if genotype is None:
            make_block, used = choice_among(contexts), set(contexts)
        else:
            choices = block_names(genotype, names, "genotype")
            make_block, used = fixed(choices), set(choices.values())
        self.grid = ContextGrid(names, channels, make_block, dropout, recompute=recompute)
        self.auxiliary_heads = nn.ModuleDict()
        if regions is not None:
            lacking = [name for name in names if name not in regions]
            if lacking:
                raise InputError(f"regions: no number for the task {lacking[0]!r}; every task of the grid needs one")
            for name in self.grid.with_regions:
                self.auxiliary_heads[name] = AuxiliaryHead(channels, regions[name])
        self._needs_regions = bool(used & set(LABEL_CONTEXTS))

    def forward(self, features: Mapping[str, Tensor], regions: Mapping[str, Tensor] | None = None) -> Refined:
        """Refine the features of the tasks, {task: (B, C, h, w)}, all of one height and width.

        ``regions`` takes the place of the auxiliary predictions' region maps: {task: (B, K, h, w)}, the weights of each
        of K regions summing to one over the pixels.
        """
        if set(features) != set(self.grid.tasks):
            raise InputError(f"features: of the tasks {sorted(features)}, expected {sorted(self.grid.tasks)}")
        auxiliary = {name: head(features[name]) for name, head in self.auxiliary_heads.items()}
        if regions is None and not auxiliary and self._needs_regions:
            raise InputError(
                "label contexts need regions: say how many each task has (RelationalContext(..., "
                "regions={'depth': 40, ...})), or leave t-label and s-label out of `contexts`"
            )
        maps = {name: region_map(logits) for name, logits in auxiliary.items()} if regions is None else regions
        return Refined(self.grid(features, maps), auxiliary)


def region_loss(auxiliary: Mapping[str, Tensor], regions: Mapping[str, Tensor]) -> Tensor:
    """The loss of auxiliary logits: cross-entropy at the resolution of the labels, summed over tasks; a scalar.

    0 where no block reads regions, and so no head predicts them.

    Args:
        auxiliary: {task: (B, K, h, w)}, from :class:`RelationalContext`.
        regions: {task: int64 (B, H, W)}, which region each pixel of a label lies in, 0..K-1, or 255 for none. For
            classes that is the label itself; a quantity is cut into intervals.

    >>> import torch
    >>> logits = {"edge": torch.zeros(1, 2, 2, 2)}
    >>> round(float(region_loss(logits, {"edge": torch.tensor([[[0, 1], [255, 1]]])})), 4)
    0.6931
    """
    losses = [cross_entropy(upsampled(x, regions[t].unsqueeze(1)), regions[t]) for t, x in auxiliary.items()]
    return torch.stack(losses).sum() if losses else torch.zeros(())


def choice_among(contexts: Sequence[str], affine: bool = False) -> MakeBlock:
    """Makes blocks that choose among the context types of these names.

    Args:
        affine: whether the last batch norm of a candidate has a learnable scale and shift. In a search it has none, so
            that the outputs of all candidates have one scale (supplement A).
    """

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        types = {name: CONTEXTS[name] for name in candidates(target, source, contexts)}
        return layer_choice(types, (target, source), in_channels, channels, affine)

    return block


def layer_choice(
    contexts: Mapping[str, MakeContext], label: Sequence[str], in_channels: int, channels: int, affine: bool
) -> LayerChoice:
    """A choice among ``contexts``; its label is ``label``, joined by slashes.

    Raises:
        RuntimeError: outside of a model space.
    """
    modules = {name: make(in_channels, channels, affine=affine) for name, make in contexts.items()}
    if frozen_context.current() is None:
        raise RuntimeError(
            "a choice of contexts can only be made in the __init__ of an nni.nas.nn.pytorch.ModelSpace; "
            "elsewhere give a genotype, or the name of one context type"
        )
    *scopes, last = label
    with ExitStack() as stack:
        for scope in scopes:  # NNI refuses a slash in a label itself
            stack.enter_context(label_scope(scope))
        return LayerChoice(modules, label=last)


def fixed(choices: Mapping[str, str]) -> MakeBlock:
    """Makes the block that ``choices`` (block label -> context type) says."""

    def block(target: str, source: str, in_channels: int, channels: int) -> nn.Module:
        return CONTEXTS[choices[label(target, source)]](in_channels, channels)

    return block


def block_names(
    given: Mapping[str, Any] | str | os.PathLike[str], tasks: Iterable[str], key: str, others: Sequence[str] = ()
) -> dict[str, str]:
    """Block label -> context type for every pair of ``tasks``.

    Args:
        given: a mapping, a genotype file, or the name of one type for all blocks. A file has these blocks and no
            others; of a mapping the others are passed over.
        key: says in errors what ``given`` was given for.
        others: what else could stand there, for the error.

    Raises:
        InputError: neither a known name nor a file, or a block too few or too many.

    >>> block_names("s-label", ["depth", "edge"], "blocks")["edge/edge"]
    't-label'
    """
    names = list(tasks)
    expected = [label(target, source) for target in names for source in names]
    if isinstance(given, str) and given in CONTEXTS:
        diagonal = SAME_ON_DIAGONAL.get(given, given)
        return dict.fromkeys(expected, given) | {label(task, task): diagonal for task in names}
    if isinstance(given, Mapping):
        choices, too_many = given, set()
    else:
        if not Path(given).exists():
            known = [*others, *CONTEXTS.known()]
            raise InputError(
                f"{key}: {str(given)!r}: expected {', '.join(known)}, or an existing genotype file"
                f"{suggestion(str(given), [*known, *genotype_files(given)])}"
            )
        choices = Genotype.load(given)
        key = f"{key}: {given}"
        too_many = set(choices) - set(expected)
    if too_many or not set(expected) <= set(choices):
        raise InputError(
            f"{key}: has the blocks {sorted(too_many)} too many and {sorted(set(expected) - set(choices))} too few "
            f"for the tasks {', '.join(names)}"
        )
    return {block: str(choices[block]) for block in expected}


def genotype_files(place: str | os.PathLike[str]) -> list[str]:
    """The files that may have been meant by a name that no file has: the JSON files of its folder."""
    return [str(file) for file in Path(place).parent.glob("*.json")]
