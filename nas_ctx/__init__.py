"""nas_ctx: which relational context should each task of a multi-task network gather from each other task?

The package is a choice space, a search strategy on NNI that decides and stops, and an analysis of how far repeated
searches agree. Importing it is cheap: torch and NNI load with the modules that need them.
"""

import warnings

from nas_ctx import _torchvision
from nas_ctx._version import __version__

_torchvision.mend_on_import()
# NNI 3.0 wraps the layers of torch.nn and warns of names that torch added after it. They are no layers.
warnings.filterwarnings("ignore", ".*is found to be not a nn.Module", RuntimeWarning)

__all__ = ["__version__"]
