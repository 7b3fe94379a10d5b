"""The watch: sees files that arrive, waits until they are whole, and hands them on in batches.

Which files may be a cycler's, and where one ends, it asks the formats, and so the process that
runs for years holds polars, which they are written in. It makes no table, fits nothing, draws
nothing and needs no Prefect: a batch is dealt with in another process.
"""
