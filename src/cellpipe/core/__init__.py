"""Errors, data model, contracts of tables and contradictions of recordings; imported by all."""
