"""Mixers that are no operator on values; importing a module registers it."""

from attention_zoo.mixers import hyena, mega, s4d, s5

__all__ = ["hyena", "mega", "s4d", "s5"]
