"""`gfsa.analysis` applied to a finished run: what `analyze` does."""
