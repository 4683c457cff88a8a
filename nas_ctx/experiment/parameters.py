"""What a trial may set: the keys of its experiment's search space, as the experiment's file has it.

NNI's manager takes parameters from whoever reaches it, and a configuration can name code. So what the manager hands
out is checked against the file, which only its owner writes.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas_ctx.config.nested import read_yaml
from nas_ctx.errors import InputError, suggestion
from nas_ctx.files import read_json

CODE = ("plugins", "plugin_folder")
"""Keys that no trial may set, whatever the file lists."""

VARIABLE = "NAS_CTX_EXPERIMENT"
"""The environment variable in which the launcher names the experiment's file to its trials."""


def check_parameters(parameters: object, experiment: Path | None) -> dict[str, Any]:
    """The parameters of a trial, if ``experiment``, NNI's YAML file, lets a trial set them.

    Keys must be keys of its search space, literally. A value must be a number, or in the list of a
    ``choice``: so no path and no name of code gets in that the file does not have.

    Raises:
        InputError: a key or value that the file does not list, a key that loads code, or no file to look into.
    """
    if not isinstance(parameters, dict):
        raise InputError(f"trial parameters {reprlib.repr(parameters)}: expected keys and values")
    if not parameters:
        return {}
    if experiment is None:
        raise InputError(
            f"trial parameters {', '.join(map(str, parameters))}: not known to be of the search space: name the "
            "experiment's file in its trialCommand, --experiment FILE (`nas-ctx launch` does that by itself)"
        )
    space = search_space(experiment)
    for key, value in parameters.items():
        if key.partition(".")[0] in CODE:
            raise InputError(f"trial parameter {key}: names code, which a trial cannot; set it in the configuration")
        if key not in space:
            listed = ", ".join(space)
            raise InputError(f"trial parameter {key}: {experiment} lists only {listed}{suggestion(key, space)}")
        choices = space[key]["_value"] if space[key]["_type"] == "choice" else []
        if not isinstance(value, (int, float)) and value not in choices:
            what = f"; expected a number or one of {choices}" if choices else "; expected a number"
            raise InputError(f"trial parameter {key}: {reprlib.repr(value)}: not in {experiment}{what}")
    return parameters


def search_space(experiment: Path) -> dict[str, Any]:
    """The search space in an experiment's file, or in the file that it names as ``searchSpaceFile``."""
    # NNI takes `searchSpace`, `search_space` and `SearchSpace` for the same.
    content = {str(key).lower().replace("_", ""): value for key, value in read_yaml(experiment).items()}
    space = content.get("searchspace")
    if space is None and isinstance(content.get("searchspacefile"), str):
        experiment = experiment.parent / content["searchspacefile"]
        space = _read(experiment)
    if not isinstance(space, Mapping):
        raise InputError(f"{experiment}: searchSpace: expected keys, each with _type and _value")
    for key, entry in space.items():
        if not isinstance(entry, Mapping) or "_type" not in entry or not isinstance(entry.get("_value"), list):
            raise InputError(f"{experiment}: searchSpace: {key}: expected _type and a list _value")
    return dict(space)


def seeds_in(space: Mapping[str, Any]) -> tuple[str, list[int]]:
    """The one parameter of a search space whose trials differ in their seed alone, and its values.

    >>> seeds_in({"seed": {"_type": "choice", "_value": [0, 1]}})
    ('seed', [0, 1])
    """
    if len(space) == 1:
        ((name, entry),) = space.items()
        seeds = entry["_value"] if entry["_type"] == "choice" else []
        if seeds and all(isinstance(seed, int) and not isinstance(seed, bool) for seed in seeds):
            return name, list(seeds)
    raise InputError(f"searchSpace: {', '.join(space)}: expected the seed alone, as a choice of whole numbers")


def _read(path: Path) -> Any:
    """The content of a search space's own file: JSON, or else YAML, as NNI reads it."""
    try:
        return read_json(path)
    except InputError:
        return read_yaml(path)  # says what is wrong
