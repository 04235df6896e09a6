"""The plan in Dask's language."""
