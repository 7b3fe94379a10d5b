"""Contradictions of a raw table as a whole, beside what each of its rows is held to."""
