"""Callbacks of a run: its checkpoints, its log, its progress bar, its scores, the random numbers of its steps."""
