"""What runs inside Dask's own processes."""
