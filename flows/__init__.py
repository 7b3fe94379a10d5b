"""Prefect flows over cellpipe's plain functions: the only place that knows Prefect."""
