"""NNI model spaces built from the parts of :mod:`nas_ctx`."""

import nas_ctx  # noqa: F401  (before NNI: it lets torchvision load beside a CPU build of torch)
