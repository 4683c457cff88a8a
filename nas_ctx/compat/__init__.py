"""Compatibility: what nas_ctx's dependencies need to work together, and former names and paths of its own."""
