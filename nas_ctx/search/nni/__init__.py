"""The adapter to NNI 3.0: the strategy, its Lightning module, and NNI's choices as layers of the supernet.

Everything that depends on NNI's one-shot base classes and private modules is in this folder.
"""

# NNI 3.0: importing anything of `nni.nas.oneshot` before `nni.nas.strategy` runs into a circular import that turns
# `nni.nas.strategy.DARTS` and its siblings into an `ImportFailedStrategy`. So this comes before our own modules.
import nni.nas.strategy  # noqa: F401
