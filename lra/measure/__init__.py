"""Time, memory and FLOPs of one variant, in a process of its own."""
