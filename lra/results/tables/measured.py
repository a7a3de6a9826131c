"""Measurements without runs, as one table."""

import pandas as pd

from lra.measure.variant import Measurement
from lra.results.tables.cells import figure
from lra.results.tables.cost import METHODS


def cost_columns(measured: Measurement) -> dict[str, float]:
    """A measurement as the cost columns of a table."""
    return {
        "step ms": measured.training_step.median_ms,
        "forward ms": measured.forward.median_ms,
        "examples/s": measured.examples_per_second,
        "s/1,000 steps": measured.seconds_per_1000_steps,
        **{f"{METHODS.get(kind, kind)} MB": size / 1e6 for kind, size in measured.memory.items()},
        "GFLOP/step": measured.training_flops / 1e9,
        "parameters": measured.parameters,
        "over softmax %": measured.over_softmax,
    }


def presented(frame: pd.DataFrame) -> str:
    """A frame of cost columns as people read it, in GitHub Markdown."""
    shown = frame.map(lambda value: value if isinstance(value, str) else figure(value))
    return shown.to_markdown(index=False, tablefmt="github", disable_numparse=True)
