"""The sections and keys of a configuration, with their types, bounds, defaults and meanings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr

from nas_ctx.config.search_settings import SearchSettings
from nas_ctx.config.section import (
    OneOrMore,
    Options,
    Pair,
    Pixels,
    Positive,
    Processes,
    Rate,
    Section,
    Seed,
    Share,
    Triple,
    Weight,
    Whole,
)
from nas_ctx.context_types import CONTEXT_NAMES

COLOURS = "[red, green, blue] or null"


class DataConfig(Section):
    """What to learn from."""

    root: str
    """Folder of the data set."""
    name: str = "nyud"
    """Layout of the data set, a name in ``nas_ctx.data.DATASETS``: ``nyud``, ``pascal``, or a custom one."""
    image_size: Pair[Pixels] = Field((425, 560), json_schema_extra={"form": "[height, width]"})
    """Height and width in pixels of the crop in training."""
    eval_size: Pair[Pixels] | None = Field(None, json_schema_extra={"form": "[height, width] or null"})
    """Height and width in pixels that smaller images are padded to in evaluation; ``null`` for ``image_size``."""
    batch_size: Positive = 8
    """Images per step."""
    eval_batch_size: Positive = 8
    """Images at a time in evaluation."""
    workers: Processes = 2
    """Processes that load data; 0 loads in the main process."""
    augment: bool = True
    """The full training augmentation, or none."""
    limit_train: Positive | None = None
    """Train on the first so many images only; ``null`` for all."""
    limit_val: Positive | None = None
    """Validate on the first so many images only; ``null`` for all."""
    holdout: Share = 0.0
    """Validate on this share of the training images, which are then not trained on, instead of the validation split:
    for whatever is chosen by scores, such as rates, before the validation split tells how good the choice is."""


class ModelConfig(Section):
    """The network."""

    backbone: str = "hrnet_w18_small_v2.ms_in1k"
    """A timm model that gives feature maps, or a custom backbone."""
    pretrained: bool = True
    """Load timm's weights of the backbone."""
    weights: str | None = None
    """Load these weights of the backbone instead: a file (``.safetensors``, or a state dictionary by ``torch.save``),
    or ``package:NAME``, an installed package with one in it. ``environment.json`` records its name and SHA-256."""
    image_mean: Triple[Weight] | None = Field(default=None, json_schema_extra={"form": COLOURS})
    """Mean of the images that the weights were trained on, by channel, of images from 0 to 1; ``null``: the model's
    own, as timm knows it, or ImageNet's."""
    image_std: Triple[Rate] | None = Field(default=None, json_schema_extra={"form": COLOURS})
    """Their standard deviation; set both or neither."""
    backbone_options: Options = Field(default={})
    """Further arguments of ``timm.create_model``, or of a custom backbone; ``fusion: bilinear`` makes an HRNet the
    published one."""
    freeze: Literal["all", "none"] | list[str] = "none"
    """What of the backbone does not learn, batch norms included: ``all``, ``none``, or names of its modules, such as
    ``[conv_stem, bn1, blocks.0]``."""
    start_from: str | None = None
    """Folder of a training or a search whose weights the network starts from, wherever names and shapes agree."""
    head: str = "conv"
    """What makes a task's features from the backbone's, a name in ``nas_ctx.models.HEADS``."""
    distillation: str | None = None
    """What refines the tasks' features in a network without blocks (``baseline``, or a custom one that takes it), a
    name in ``nas_ctx.models.DISTILLATIONS``."""
    space: str = "relational"
    """What a search searches, a name in ``nas_ctx.models.spaces.SPACES``; a genotype is trained in it too."""
    space_options: Options = Field(default={})
    """Options of the space."""
    contexts: list[str] = Field(default=list(CONTEXT_NAMES), min_length=1)
    """Candidates of a search."""
    blocks: str = "baseline"
    """What a training run puts into its blocks: the name of one context type for all of them; a genotype file; or
    ``random``, candidates drawn anew for every seed; or a network without blocks: ``baseline``, ``mti-net``, ``psd``.
    A search ignores it."""
    self_attention: bool = True
    """``false`` leaves the blocks of each task with itself empty (table G-1)."""
    true_regions: bool = False
    """Label contexts see the regions of the ground truth, in evaluation too (table E-1)."""
    dropout: Share = 0.05
    """Share of the channels that are dropped before the logits of a trained network; a search drops none."""


class TrainingConfig(Section):
    """How weights are learnt, in a search as in training. Defaults are those of supplement A."""

    steps: Positive = 40_000
    """Optimiser steps."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    """Of the weights, in a search too. ``adam`` adds the decay to the gradient, ``adamw`` takes it from the weight."""
    lr: Rate = 0.01
    """Initial learning rate, decayed by ``(1 - step / steps) ** power``. Adam needs a far smaller one than SGD."""
    lr_warmup_steps: Whole = 0
    """Steps at the start over which the learning rate rises to that along a line."""
    head_lr_factor: Rate = 1.0
    """Learning rate of all that is not the backbone (heads, blocks, auxiliary heads), in multiples of ``lr``."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Learning rate of each layer of the backbone in multiples of that of the next one; of the last it is ``lr``."""
    momentum: Share = 0.9
    """Momentum of SGD; Adam's first beta. Its second is 0.999."""
    weight_decay: Weight = 5e-4
    """Weight decay."""
    decay: Literal["all", "matrices"] = "all"
    """What decays: all weights, or ``matrices`` alone, not biases, norms, tokens and embeddings of positions."""
    power: Rate = 0.9
    """Power of the learning-rate schedule."""
    gradient_clip: Rate | None = None
    """Largest norm of the gradient, in a search that of alpha included; ``null`` does not clip. The published search
    clips at 10, its trainings do not clip."""
    max_bad_steps: Whole = 0
    """How many steps with a loss or gradient that is not finite are skipped before the run ends."""
    precision: str = "32-true"
    """Lightning's name of it, such as ``32-true``, ``bf16-mixed``, ``16-mixed``."""
    validate_every: Positive | None = 2_000
    """Steps between validations; ``null`` validates at the end only."""
    checkpoint_every: Positive | None = 2_000
    """Steps between checkpoints; ``null`` writes one at the end only."""
    log_every: Positive = 50
    """Steps between two records of the losses."""
    logger: Literal["csv", "tensorboard", "none"] = "csv"
    """Where the losses are recorded: in ``losses.csv``; there and, with the scores of the validations, for TensorBoard;
    or nowhere."""
    threads: OneOrMore | None = None
    """Processor threads of torch; ``null`` leaves it to torch. The last digit of a sum depends on it."""
    recompute: bool = False
    """Keep less of the grid of contexts for the backward pass and compute it again: for large images."""
    compile: bool = False
    """``torch.compile`` the backbone. The first step then takes minutes, and a C++ compiler or Triton."""
    cache_features: bool = False
    """Compute the features of every image once and keep them in main memory; needs ``model.freeze: all`` and
    ``data.augment: false``."""
    sync_batchnorm: bool = False
    """Batch norms of several processes, on GPUs, take their statistics over all of them."""
    accelerator: str = "auto"
    """Lightning's: ``cpu``, ``gpu``, ..."""
    devices: OneOrMore = 1
    """Processes, each on a device of its own."""
    strategy: str = "auto"
    """Lightning's, for several processes; ``auto`` then means ``ddp_find_unused_parameters_true``, since blocks that
    are decided stop using parameters."""


class Config(Section):
    """A whole run."""

    data: DataConfig
    tasks: dict[str, Options] = Field(min_length=1)
    """Task -> its options, in the order of the grid. The option ``type`` says which task it is where that is not its
    name; ``labels``, in which folder of the data set its label files are, where that is not the layout's."""
    output: str | None = None
    """The run folder; ``{seed}``, ``{training.lr}`` and every other dotted key in it stand for their values."""
    seed: Seed = 0
    """Seed of weights, data order, augmentation and Gumbel noise."""
    plugins: list[str] = Field(default=[])
    """Modules with custom components, imported before anything is looked up."""
    plugin_folder: str | None = None
    """Where modules are looked for that are not installed, before the working folder; by default the folder of the
    configuration file, if it names code."""
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    search: SearchSettings = SearchSettings()
    _umask: int = PrivateAttr(default=-1)
    """Under which a run makes its files: nobody can read them who cannot read the configuration's own."""

    @property
    def umask(self) -> int:
        """The umask of a run of this configuration; -1 where it needs no other than the present one."""
        return self._umask

    @property
    def names_code(self) -> bool:
        """Whether it names modules, or components by their path ``module:Name``."""
        return bool(self.named_code)

    @property
    def named_code(self) -> list[str]:
        """The modules and paths that it names, each after its key."""
        model = self.model
        names = [
            *((f"tasks.{task}.type", str(options.get("type", ""))) for task, options in self.tasks.items()),
            ("data.name", self.data.name),
            *(
                (f"model.{key}", str(getattr(model, key)))
                for key in ("backbone", "head", "distillation", "space", "blocks")
            ),
            *(("model.contexts", name) for name in model.contexts),
        ]
        paths = [f"{key}: {name}" for key, name in names if ":" in name]
        return [*(f"plugins: {name}" for name in self.plugins), *paths]
