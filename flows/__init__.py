"""Prefect flows over `pipelines`, and the command line."""
