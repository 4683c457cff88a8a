"""The search strategy: it makes the supernet and the search module, and exports the result."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from nni.nas.evaluator.pytorch import Lightning, LightningModule
from nni.nas.nn.pytorch import ModelSpace
from nni.nas.oneshot.pytorch.strategy import MutationHook, OneShotStrategy, is_supernet
from nni.nas.oneshot.pytorch.supermodule.operation import NATIVE_MIXED_OPERATIONS
from nni.nas.space import RawFormatModelSpace
from pytorch_lightning import LightningDataModule
from torch import nn

from nas_ctx.config.checking import UnknownKey, checked
from nas_ctx.config.search_settings import SearchChanges, SearchSettings
from nas_ctx.errors import InputError, suggestion
from nas_ctx.genotype import Genotype
from nas_ctx.search.choice import Candidate, Choice
from nas_ctx.search.choices import Choices
from nas_ctx.search.cost import ExpectedCost
from nas_ctx.search.history import HistoryWriter
from nas_ctx.search.nni.hooks import mix, refuse, settle
from nas_ctx.search.nni.module import GumbelSearchModule
from nas_ctx.search.nni.space import Unsearchable, choices_of
from nas_ctx.search.nni.values import ActiveArguments, searchable
from nas_ctx.search.supernet.layer import inactive_choices

if TYPE_CHECKING:
    from typing_extensions import Unpack


_ARGUMENTS = ("gradient_clip", "seed", "history", "resume", "mutation_hooks", "settings")


class GumbelSearch(OneShotStrategy):
    """Differentiable one-shot search that decides choice by choice and stops searching where it has decided.

    The mixture of a choice is a Gumbel-softmax sample of its candidates (SNAS), cooled linearly step by step; a
    scheduled entropy term first favours exploration, then decisions; a choice whose two largest probabilities are far
    enough apart becomes one-hot. Weights and alpha learn from one loss in one backward pass. See supplement A of
    "Exploring Relational Context for Multi-Task Dense Prediction" (eq. 2).

    It searches every model space made of layer choices, choices of one input, repeats, cells, and choices of values
    in the arguments of NNI's mutable operations. Pass it to :class:`nni.nas.experiment.NasExperiment` with a Lightning
    evaluator; the evaluator's one optimiser updates the weights.

    Args:
        settings: all settings as one object; by default those of the paper, with partial evaluation.
        **changes: single settings by name, in the place of those of ``settings``: the fields of
            :class:`~nas_ctx.search.SearchSettings`.
        gradient_clip: largest norm of the gradient, that of alpha included; ``None`` does not clip.
        seed: of the Gumbel noise; by default torch's initial seed, which ``seed_everything`` sets.
        history: a CSV file that gets a row per step (:class:`~nas_ctx.search.HistoryWriter`).
        resume: a checkpoint to continue from, as Lightning's ``ModelCheckpoint`` writes them.
        mutation_hooks: NNI's, for custom choices.

    Raises:
        InputError: a setting is out of range, or there is none of that name.
        Unsearchable: when the strategy gets the space: it has a choice that cannot be searched, named in the error.

    >>> strategy = GumbelSearch(arch_lr=0.01, stop_margin=0.3)
    >>> strategy.settings.temperature
    (1.0, 0.05)
    """

    def __init__(
        self,
        settings: SearchSettings | None = None,
        *,
        gradient_clip: float | None = 10.0,
        seed: int | None = None,
        history: str | os.PathLike[str] | None = None,
        resume: str | os.PathLike[str] | None = None,
        mutation_hooks: list[MutationHook] | None = None,
        **changes: Unpack[SearchChanges],
    ) -> None:
        super().__init__(mutation_hooks)
        for name in changes:
            if name not in SearchSettings.model_fields and name != "sparse_threshold":
                known = sorted({*_ARGUMENTS, *SearchSettings.model_fields})
                raise UnknownKey(f"{name}: unknown key; known: {', '.join(known)}{suggestion(name, known)}")
        self.settings = checked(SearchSettings, {**dict(settings or ()), **changes})
        self.gradient_clip = gradient_clip
        self.seed = seed
        self.history = history
        self.resume = resume
        self._choices: Choices | None = None
        self._model: nn.Module | None = None

    @property
    def choices(self) -> Choices:
        """The choices of the space, once the strategy has one."""
        if self._choices is None:
            raise RuntimeError("the strategy has no space yet: it gets one from NasExperiment or mutate_model")
        return self._choices

    def genotype(self, **meta: Any) -> Genotype:
        """The result so far: the decided or most probable value of every choice, as NNI samples it.

        A space under NNI's ``model_context(genotype.to_nni())`` is the network of these choices.

        Its ``meta`` is that given here, the values that each choice had, the step at which it was decided, the
        probabilities of its values, and which choices are inactive: those within a candidate that was not chosen.
        """
        distributions = self.choices.distributions()
        inactive = [] if self._model is None else inactive_choices(self._model)
        return Genotype(
            {choice.label: choice.sample for choice in self.choices},
            meta={
                **meta,
                **({"inactive": inactive} if inactive else {}),
                "candidates": {choice.label: choice.samples for choice in self.choices},
                "decided_at": {decision.label: decision.step for decision in self.choices.decisions()},
                "probabilities": {
                    label: {str(value): probability for value, probability in distribution.items()}
                    for label, distribution in distributions.items()
                },
            },
        )

    def table(self) -> list[Candidate]:
        """What is known of every value of every choice so far, in the order of the space; also while it is searched.

        >>> strategy = GumbelSearch()
        >>> strategy.table()
        Traceback (most recent call last):
        RuntimeError: the strategy has no space yet: it gets one from NasExperiment or mutate_model
        """
        return self.choices.table()

    def default_mutation_hooks(self) -> list[MutationHook]:
        return [settle, mix, *(searchable(kind).mutate for kind in NATIVE_MIXED_OPERATIONS), refuse]

    def run_hook(self, hook: MutationHook, name: str, module: nn.Module, memo: dict[str, Any]) -> Any:
        memo.update(self.choices.by_label)
        # A space's own hooks make NNI's mixed operations, which ask for this.
        return hook(module, name, memo, {"mixed_op_sampling": ActiveArguments})

    def mutate_model(self, model: ModelSpace) -> ModelSpace:
        """Turn ``model`` into the supernet, in place."""
        if is_supernet(model):
            kind = type(model).__name__
            raise Unsearchable(
                f"this {kind} was searched already, and is the supernet of that search: make another one, {kind}(...), "
                "for the next search"
            )
        choices = choices_of(model)
        self._choices = Choices(choices, seed=torch.initial_seed() if self.seed is None else self.seed)
        supernet = super().mutate_model(model)
        followed = {module.label for module in supernet.modules() if isinstance(module, Choice)}
        for label in choices:
            if label not in followed:
                raise Unsearchable.choice(label, type(model).__name__, "nothing that can be mixed follows it")
        self._model = supernet
        return supernet

    def initialize(self, model_space: Any, engine: Any) -> Any:
        if self._choices is not None:
            raise InputError(
                "this GumbelSearch has searched already: make another one, GumbelSearch(...), for the next"
            )
        return super().initialize(model_space, engine)

    def mutate_evaluator(self, evaluator: Lightning) -> Lightning:
        """The evaluator with the search around its module; validation data are not needed.

        Raises:
            InputError: there is no such checkpoint to resume from.
        """
        if isinstance(evaluator, Lightning) and evaluator.datamodule is None and evaluator.val_dataloaders is None:
            evaluator = copy.copy(evaluator)
            evaluator.val_dataloaders = []
        mutated = super().mutate_evaluator(evaluator)
        if self.resume is not None:
            if not os.path.isfile(self.resume):
                raise InputError(f"resume: {os.fspath(self.resume)}: no such file; expected a checkpoint of a search")
            mutated.fit_kwargs = {**mutated.fit_kwargs, "ckpt_path": os.fspath(self.resume)}
        return mutated

    def val_dataloader(self, train_dataloader_fn: Callable[[], Any], val_dataloader_fn: Callable[[], Any]) -> Any:
        """The validation data, none where a data module has none."""
        missing = getattr(val_dataloader_fn, "__func__", None) is LightningDataModule.val_dataloader
        return [] if missing else val_dataloader_fn()

    def list_models(self, sort: bool = True, limit: int | None = 1) -> Iterator[RawFormatModelSpace]:
        """The ``limit`` most probable networks, the best first, each with the weights that it has in the supernet."""
        self.oneshot_module.set_model(self.supernet)
        for sample in self.choices.most_probable(1 if limit is None else limit):
            yield self.model_space.freeze(sample)

    def configure_oneshot_module(self, training_module: LightningModule) -> GumbelSearchModule:
        assert self._model is not None
        settings = self.settings
        cost = ExpectedCost(self._model, self.choices, settings.resource) if settings.resource_weight else None
        history = None if self.history is None else HistoryWriter(self.history, self.choices)
        return GumbelSearchModule(training_module, self.choices, settings, self.gradient_clip, history, cost)
