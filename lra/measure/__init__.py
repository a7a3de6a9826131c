"""Time, memory and FLOPs of variants, each in a process of its own, in turns."""
