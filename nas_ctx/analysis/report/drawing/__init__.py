"""Drawings of a report as scenes."""
