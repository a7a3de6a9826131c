"""What an evaluation gives."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy (nats) and accuracy (0–1) over `count` examples, each counted once."""

    loss: float
    accuracy: float
    count: int

    @property
    def standard_error(self) -> float:
        """Of the accuracy, binomial: √(p(1 − p) / count)."""
        return (self.accuracy * (1 - self.accuracy) / self.count) ** 0.5
