"""Mixers that are no operator on values; importing a module registers it."""

from attention_zoo.mixers import hrr, hyena, mega, s4d, s5

__all__ = ["hrr", "hyena", "mega", "s4d", "s5"]
