"""The layers of the supernet: each stands where the space has a choice and mixes its candidates."""
