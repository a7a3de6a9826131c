"""What is chosen by name on a command line; known without importing torch."""

from typing import Literal

# What attention computes in: the name of a torch dtype, by Lightning's names for precisions.
PRECISIONS = {"32-true": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}
FLOATS = ("float32", "bfloat16", "float16")
Level = Literal["operator", "layer", "step"]
