"""NNI experiments: launched on loopback, watched, and stopped without leaving a process behind."""
