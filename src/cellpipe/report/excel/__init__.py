"""Workbooks of a cell and of the lab."""
