"""What trained networks are worth: tables of results, importance of blocks, sheets of predictions."""

from nas_ctx.evaluation.contrasts import Contrast, read_chosen_on, read_contrasts
from nas_ctx.evaluation.differences import Difference
from nas_ctx.evaluation.edges import EdgeScores, score_edges
from nas_ctx.evaluation.edges_figure import draw_edge_curve
from nas_ctx.evaluation.exchange.measure import measure_exchange
from nas_ctx.evaluation.heat_map import write_importance
from nas_ctx.evaluation.importance import Drop, Importance, measure_importance
from nas_ctx.evaluation.measures import Measure
from nas_ctx.evaluation.predictions import pictures_in, validation_pictures, write_predictions
from nas_ctx.evaluation.quoted import read_quoted
from nas_ctx.evaluation.results import Result, Row, gather, read_results
from nas_ctx.evaluation.scores import ScoreRow, read_scores
from nas_ctx.evaluation.sheet import prediction_sheet
from nas_ctx.evaluation.table import Cell, ResultTable, make_table
from nas_ctx.evaluation.table_figure import draw_table
from nas_ctx.evaluation.table_text import FORMATS, LAYOUTS, Layout
from nas_ctx.evaluation.trained_scores import read_trained

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "Cell",
    "Contrast",
    "Difference",
    "Drop",
    "EdgeScores",
    "Importance",
    "Layout",
    "Measure",
    "Result",
    "ResultTable",
    "Row",
    "ScoreRow",
    "draw_edge_curve",
    "draw_table",
    "gather",
    "make_table",
    "measure_exchange",
    "measure_importance",
    "pictures_in",
    "prediction_sheet",
    "read_chosen_on",
    "read_contrasts",
    "read_quoted",
    "read_results",
    "read_scores",
    "read_trained",
    "score_edges",
    "validation_pictures",
    "write_importance",
    "write_predictions",
]
