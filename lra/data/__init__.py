"""Prepared data on disk, and batches of it."""
