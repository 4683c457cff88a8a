"""Does the chosen candidate of a block matter, and does the vote know it?

From measurements that others made: the scores of searched supernets whose candidates were exchanged
(:func:`nas_ctx.evaluation.measure_exchange`), and the scores of trained networks.
"""

from nas_ctx.analysis.validity.collapse import Collapse, collapse_of
from nas_ctx.analysis.validity.effects import Effect, RunExchange, Scores, effect, exchange_effects
from nas_ctx.analysis.validity.record import Correlation, Validity, validity
from nas_ctx.analysis.validity.retraining import BlockEffect, Retraining, TrainedScore, retraining
from nas_ctx.analysis.validity.verdicts import BlockVerdict, Verdict

__all__ = [
    "BlockEffect",
    "BlockVerdict",
    "Collapse",
    "Correlation",
    "Effect",
    "Retraining",
    "RunExchange",
    "Scores",
    "TrainedScore",
    "Validity",
    "Verdict",
    "collapse_of",
    "effect",
    "exchange_effects",
    "retraining",
    "validity",
]
