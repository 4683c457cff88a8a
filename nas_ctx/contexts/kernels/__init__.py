"""Functions with a backward pass of their own: attention to windows, and stacks of projections."""
