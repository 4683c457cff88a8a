"""The statistics: pure functions of ratings (n_runs, n_blocks), on NumPy and SciPy alone."""
