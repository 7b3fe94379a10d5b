"""Numerics on plain arrays, without tables or files; docstrings give formula, units and source."""
