"""nas_ctx: which relational context should each task of a multi-task network gather from each other task?

The package is a choice space, a search strategy on NNI that decides and stops, and an analysis of how far repeated
searches agree. Importing it is cheap: torch and NNI load with the modules that need them.
"""

from nas_ctx import _torchvision
from nas_ctx._version import __version__

_torchvision.mend_on_import()

__all__ = ["__version__"]
