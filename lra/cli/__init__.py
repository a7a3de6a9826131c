"""The command line."""

from lra.cli.main import main

__all__ = ["main"]
