"""What an evaluation gives."""

from typing import Annotated

from pydantic import Field

from lra.typed import frozen


@frozen
class Evaluation:
    """Mean cross-entropy (nats) and accuracy (0–1) over `count` examples, each counted once."""

    loss: float
    accuracy: Annotated[float, Field(ge=0, le=1)]
    count: Annotated[int, Field(ge=1)]

    @property
    def standard_error(self) -> float:
        """Of the accuracy, binomial: √(p(1 − p) / count)."""
        return (self.accuracy * (1 - self.accuracy) / self.count) ** 0.5
