"""What does a block's candidate do for its target? Each is exchanged for each other one, with the rest as it is."""

from nas_ctx.evaluation.exchange.measure import measure_exchange
from nas_ctx.evaluation.exchange.variants import Variant, adapt, row_inputs, variants_of

__all__ = ["Variant", "adapt", "measure_exchange", "row_inputs", "variants_of"]
