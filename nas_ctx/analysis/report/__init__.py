"""Writing a report: the page, its figures, and the same content as JSON, CSV and Markdown.

matplotlib and Jinja2 load when something is drawn, not before.
"""

from nas_ctx.analysis.report.genotype_words import GenotypeWords
from nas_ctx.analysis.report.palette import abbreviations, colours, ink_on
from nas_ctx.analysis.report.writing import write_comparison, write_genotype, write_learning_curves, write_report

__all__ = [
    "GenotypeWords",
    "abbreviations",
    "colours",
    "ink_on",
    "write_comparison",
    "write_genotype",
    "write_learning_curves",
    "write_report",
]
