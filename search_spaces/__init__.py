"""NNI model spaces built from the parts of :mod:`nas_ctx`."""
