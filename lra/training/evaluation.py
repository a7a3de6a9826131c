"""What an evaluation gives."""

from dataclasses import dataclass

from attention_zoo import UsageError


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy (nats) and accuracy (0–1) over `count` examples, each counted once."""

    loss: float
    accuracy: float
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.accuracy <= 1 or self.count < 1:
            raise UsageError(f"accuracy {self.accuracy} of {self.count} examples is none")

    @property
    def standard_error(self) -> float:
        """Of the accuracy, binomial: √(p(1 − p) / count)."""
        return (self.accuracy * (1 - self.accuracy) / self.count) ** 0.5
