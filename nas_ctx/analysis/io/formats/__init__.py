"""Importers of the files of other tools, one file each; ``FORMATS`` has them by name."""

from nas_ctx.analysis.io.formats.base import FORMATS, Importer, ReadOptions, importers, register_format

__all__ = ["FORMATS", "Importer", "ReadOptions", "importers", "register_format"]
