"""The layers of the supernet, in plain torch: each mixes the candidates of one choice of the space."""
