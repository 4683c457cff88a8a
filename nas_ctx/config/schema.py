"""The configuration of a search or a training run: YAML into checked dataclasses, and back.

Every key is known, typed and bounded; whatever is not is refused with one line that names file, key and value.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, get_type_hints

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from nas_ctx.config.nested import extended, flat, set_dotted
from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.config.templates import filled
from nas_ctx.errors import InputError, suggestion

Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]

PLACES = ("output", "plugin_folder")
"""Keys that say where things lie, not what is run."""

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


@dataclass
class DataConfig:
    """What to learn from.

    Attributes:
        root: folder of the data set.
        name: its layout, a name in ``nas_ctx.data.DATASETS``.
        image_size: height and width in pixels of the crop in training, and of the padding in evaluation.
        batch_size: images a step.
        eval_batch_size: images at a time in evaluation.
        workers: processes that load data; 0 loads in the main process.
        augment: the full training augmentation, or none.
        limit_train, limit_val: use only that many images; ``null`` for all.
    """

    __pydantic_config__ = STRICT
    root: str
    name: str = "nyud"
    image_size: tuple[Positive, Positive] = (425, 560)
    batch_size: Positive = 8
    eval_batch_size: Positive = 8
    workers: Whole = 2
    augment: bool = True
    limit_train: Positive | None = None
    limit_val: Positive | None = None


@dataclass
class ModelConfig:
    """The network.

    Attributes:
        backbone: a timm model that can give feature maps, or one's own, see ``docs/custom-components.md``.
        pretrained: load timm's weights for it.
        weights: load these instead: a file, or ``package:NAME`` for an installed package of weights.
        backbone_options: further arguments of ``timm.create_model``, or of one's own backbone.
        head: what makes a task's features from the backbone's, a name in ``nas_ctx.models.HEADS``.
        distillation: what refines the tasks' features in a network without blocks (``baseline``, or one's own that
            takes it), a name in ``nas_ctx.models.DISTILLATIONS``.
        space: what a search searches, a name in ``nas_ctx.models.spaces.SPACES``; a genotype is trained in it too.
        space_options: the space's own options.
        start_from: the folder of a training or a search whose weights the network starts from, as far as names and
            shapes are the same; ``null`` starts anew.
        contexts: the candidates of a search.
        blocks: what a training run puts into its blocks: the name of one context type for all of them, or a genotype
            file; or a network without blocks: ``baseline``, ``mti-net``, ``psd``. A search takes no notice of it.
        self_attention: False leaves the blocks of each task with itself empty (table G-1).
        true_regions: label contexts see the regions of the ground truth, in evaluation too (table E-1).
        dropout: of whole channels, before the logits of a trained network; a search has none.
    """

    __pydantic_config__ = STRICT
    backbone: str = "hrnet_w18_small_v2.ms_in1k"
    pretrained: bool = True
    weights: str | None = None
    backbone_options: dict[str, Any] = field(default_factory=dict)
    start_from: str | None = None
    head: str = "conv"
    distillation: str | None = None
    space: str = "relational"
    space_options: dict[str, Any] = field(default_factory=dict)
    contexts: Annotated[list[str], Field(min_length=1)] = field(
        default_factory=lambda: ["none", "global", "local", "t-label", "s-label"]
    )
    blocks: str = "baseline"
    self_attention: bool = True
    true_regions: bool = False
    dropout: Share = 0.05


@dataclass
class TrainingConfig:
    """How weights are learnt, in a search as in training. Defaults are those of supplement A.

    Attributes:
        steps: optimiser steps.
        lr: initial learning rate of SGD, decayed by ``(1 - step / steps) ** power``.
        head_lr_factor: the heads', the blocks' and the auxiliary heads' learning rate in multiples of ``lr``.
        gradient_clip: largest norm of the gradient, in a search that of alpha included; ``null`` leaves it as it is.
            The published search clips at 10, its trainings do not.
        max_bad_steps: how many steps with a loss or gradient that is not finite are left out before the run ends.
        precision: Lightning's name of it, such as ``32-true``, ``bf16-mixed``, ``16-mixed``.
        validate_every: steps between validations; ``null`` validates at the end only.
        checkpoint_every: steps between checkpoints; ``null`` writes one at the end only.
        log_every: steps between two records of the losses.
        threads: processor threads of torch; ``null`` leaves it to torch. The last digit of a sum depends on it.
        recompute: keep less of the grid of contexts for the backward pass and compute it again: for large images.
        compile: ``torch.compile`` the backbone. The first step then takes minutes, and a C++ compiler or Triton.
        sync_batchnorm: batch norms of several processes, on GPUs, take their statistics over all of them.
        accelerator, devices, strategy: Lightning's, for GPUs and several processes; for several ``auto`` means
            ``ddp_find_unused_parameters_true``, since blocks that have decided stop using parameters.
    """

    __pydantic_config__ = STRICT
    steps: Positive = 40_000
    lr: Rate = 0.01
    head_lr_factor: Rate = 1.0
    momentum: Share = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 5e-4
    power: Rate = 0.9
    gradient_clip: Rate | None = None
    max_bad_steps: Whole = 0
    precision: str = "32-true"
    validate_every: Positive | None = 2_000
    checkpoint_every: Positive | None = 2_000
    log_every: Positive = 50
    threads: Positive | None = None
    recompute: bool = False
    compile: bool = False
    sync_batchnorm: bool = False
    accelerator: str = "auto"
    devices: Positive = 1
    strategy: str = "auto"


@dataclass
class Config:
    """A whole run.

    Attributes:
        output: the run folder; ``{seed}``, ``{training.lr}`` and every other dotted key in it stand for their values.
        seed: of weights, data order, augmentation and Gumbel noise.
        tasks: task -> its options, in the order of the grid. The option ``type`` says which task it is where that is
            not its name.
        plugins: modules with parts of one's own, imported before anything is looked up.
        plugin_folder: where modules are looked for that are not installed, before the working folder; by default the
            folder of the configuration file, if it names code.
    """

    __pydantic_config__ = STRICT
    data: DataConfig
    tasks: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    output: str | None = None
    seed: Whole = 0
    plugins: list[str] = field(default_factory=list)
    plugin_folder: str | None = None
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    search: SearchSettings = field(default_factory=SearchSettings)

    def __post_init__(self) -> None:
        if self.output is not None:
            try:
                self.output = filled(self.output, {k: v for k, v in flattened(self).items() if k != "output"})
            except InputError as error:
                raise InputError(f"output: {self.output!r}: {error}") from None


def load_config(
    path: str | Path,
    overrides: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    origins: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """Read a configuration file, put ``overrides`` (dotted key -> value) over it, and check everything.

    ``origins`` says where an override comes from, so that an error blames what is to be mended: ``--set`` by default.

    A file may begin where another ends: ``extends: other.yaml``, found beside it. Its sections ``data``, ``model``,
    ``training`` and ``search`` change single keys of the other's; whatever else it has, ``tasks`` too, takes the
    other's place.

    Raises:
        InputError: a missing file, an unknown key, a wrong type, a value out of range, a key that stands twice.
    """
    path = Path(path)
    content = extended(path)
    overrides = dict(overrides)
    origins = {key: origins.get(key, "--set") for key in overrides}
    for key, value in overrides.items():
        try:
            set_dotted(content, key, value)
        except InputError as error:
            raise InputError(f"{origins[key]} {error}") from None
    config = check_config(content, str(path), origins)
    if config.plugin_folder is not None or names_code(config):
        config.plugin_folder = str((path.parent / (config.plugin_folder or ".")).resolve())
    return config


def names_code(config: Config) -> bool:
    """Whether a configuration names modules, or parts by their path ``module:Name``."""
    model = config.model
    types = [str(options.get("type", "")) for options in config.tasks.values()]
    parts = [config.data.name, model.backbone, model.head, model.distillation or "", model.space, model.blocks]
    return bool(config.plugins) or any(":" in part for part in [*parts, *model.contexts, *types])


def check_config(content: Mapping[str, Any], name: str, origins: Mapping[str, str] = MappingProxyType({})) -> Config:
    """Check a configuration given as nested mappings; ``name`` says in errors where it came from.

    ``origins`` says it of single dotted keys that came from elsewhere.

    >>> check_config({"data": {"rot": "d"}, "tasks": {"depth": {}}}, "x.yaml")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    nas_ctx.errors.InputError: x.yaml: data.rot: unknown key; known: augment, ...; did you mean 'root'?
    """
    try:
        # By way of JSON, since YAML's lists are to become tuples while a number stays no text and a text no number.
        return TypeAdapter(Config).validate_json(json.dumps(content))
    except ValidationError as error:
        # A misspelt key first: it is also why another one is missing.
        first = min(error.errors(), key=lambda found: found["type"] != "unexpected_keyword_argument")
        place, what = _explained(first)
        origin = next((said for key, said in origins.items() if _within(place, key) or _within(key, place)), None)
        where = f"{name}: " if origin is None else f"{origin} "
        raise InputError(f"{where}{place}: {what}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: {error}") from None


def _explained(error: Any) -> tuple[str, str]:
    """The dotted key that an error of pydantic is about, and what is wrong with it."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        *section, key = map(str, error["loc"])
        known = [name.removeprefix(".".join([*section, ""])) for name in known_keys(section)]
        elsewhere = [name for name in known_keys() if name.endswith(f".{key}")]
        meant = f"; did you mean {elsewhere[0]!r}?" if elsewhere else suggestion(key, known)
        return place, f"unknown key; known: {', '.join(known)}{meant}"
    if error["type"] in ("missing", "missing_argument"):
        return place, "missing"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(error.get("ctx", {}).get("error"), InputError):  # it begins with a key of its own
        key, _, what = message.partition(": ")
        return f"{place}.{key}".lstrip("."), what
    return place, f"{error['input']!r}: {message[:1].lower()}{message[1:]}"


def _within(key: str, section: str) -> bool:
    """Whether a dotted key is ``section`` or stands in it."""
    return f"{key}.".startswith(f"{section}.")


def known_keys(section: Sequence[str] | None = None) -> list[str]:
    """The dotted keys of a section, ``()`` for the sections themselves; of all sections by default, without these.

    >>> known_keys(())[:2], known_keys(["search"])[:1], "training.lr" in known_keys()
    (['data', 'model'], ['search.arch_lr'], True)
    """
    if section is None:
        inside = [known_keys([name]) for name, kind in get_type_hints(Config).items() if dataclasses.is_dataclass(kind)]
        plain = [name for name in known_keys(()) if not any(keys[0].startswith(f"{name}.") for keys in inside)]
        return sorted([*plain, *(key for keys in inside for key in keys)])
    kind: Any = Config
    for part in section:
        kind = get_type_hints(kind)[part]
    return sorted(".".join([*section, field.name]) for field in dataclasses.fields(kind))


def to_yaml(config: Config) -> str:
    """The resolved configuration, with every default written out, as it stands in a run folder."""
    return yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(config))), sort_keys=False)


def flattened(config: Config) -> dict[str, Any]:
    """A configuration as one mapping from dotted keys to plain values.

    >>> flattened(check_config({"data": {"root": "d"}, "tasks": {"depth": {}}}, "x"))["data.root"]
    'd'
    """
    return flat(json.loads(json.dumps(dataclasses.asdict(config))))
