"""Graph-filter self-attention on any attention operator; importing this registers `+gfsa`."""

from gfsa.filter import GraphFilter

__all__ = ["GraphFilter"]
