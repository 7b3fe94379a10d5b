"""The watch: sees files that arrive, waits until they are whole, and hands them on in batches.

Nothing in this room needs more than Python's own library (and ``watchfiles``, for hints), so that
the process that runs for years stays light.
"""
