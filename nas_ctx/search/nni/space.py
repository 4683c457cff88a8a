"""From a model space to its choices; what cannot be searched is refused by name."""

from __future__ import annotations

from nni.mutable import Categorical, CategoricalMultiple
from nni.nas.nn.pytorch import ModelSpace

from nas_ctx.errors import InputError
from nas_ctx.search.choice import Choice


class Unsearchable(InputError, TypeError):
    """A space that cannot be searched, or a choice in it."""

    @classmethod
    def choice(cls, label: str, where: str, why: str) -> Unsearchable:
        """The error for one choice, by its label.

        >>> print(Unsearchable.choice("width", "layer", "why"))
        choice 'width' (in layer) is not supported by the search: why
        """
        return cls(f"choice {label!r} (in {where}) is not supported by the search: {why}")


def choices_of(model: ModelSpace) -> dict[str, Choice]:
    """label -> choice, undecided and uniform, for every mutable of the space.

    Raises:
        Unsearchable: a mutable is not a choice of one of several values, or there is none.
    """
    choices = {}
    for label, mutable in model.simplify().items():
        if not isinstance(mutable, (Categorical, CategoricalMultiple)):
            why = f"it is a {type(mutable).__name__}, not a choice of one of several values"
            raise Unsearchable.choice(label, type(model).__name__, why)
        choices[label] = Choice(label, mutable.values, listed=isinstance(mutable, CategoricalMultiple))
    if not choices:
        raise Unsearchable(f"{type(model).__name__} has no choice: nothing to search")
    return choices
