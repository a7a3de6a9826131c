"""Mixers that are no operator on values; importing a module registers it."""

from attention_zoo.mixers import fnet, hrr, hyena, lstm, mamba, mega, mlp_mixer, s4d, s5

__all__ = ["fnet", "hrr", "hyena", "lstm", "mamba", "mega", "mlp_mixer", "s4d", "s5"]
