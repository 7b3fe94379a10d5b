"""Errors, data model and table contracts, which every other module imports."""
