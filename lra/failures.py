"""Ways in which a run ends without a result, each a kind that its record names."""

from collections.abc import Iterator
from contextlib import contextmanager

from attention_zoo import UsageError
from attention_zoo.errors import one_line


class RunFailure(UsageError):
    """A run that cannot go on. kind: one word or two for a table."""

    kind = "error"


class NotFinite(RunFailure):
    """A loss became infinite or no number."""

    kind = "not finite"


class Killed(RunFailure):
    """A process of the run was ended from outside, probably for its memory."""

    kind = "killed"


class OutOfMemory(RunFailure):
    """An allocation was refused."""

    kind = "out of memory"


SMALLER = "a smaller --set training.batch may fit, or an attention whose memory grows with N"
# How torch and what it calls say that memory ran out, besides their own exceptions.
MESSAGES = (
    "can't allocate memory",
    "Cannot allocate memory",
    "std::bad_alloc",
    "out of memory",
    "could not create a memory",
)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turns every way of saying that memory ran out into OutOfMemory."""
    try:
        yield
    except UsageError:
        raise
    except (MemoryError, RuntimeError, OSError) as error:
        import torch  # here, since a command line that is refused knows RunFailure, too

        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not any(
            message in str(error) for message in MESSAGES
        ):
            raise
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise OutOfMemory(f"{SMALLER} ({first:.120})") from error


def describe(error: Exception) -> tuple[str, str]:
    """The kind of a failure, and its reason in one line."""
    kind = error.kind if isinstance(error, RunFailure) else RunFailure.kind
    line = one_line(error)
    return kind, line if isinstance(error, UsageError) else f"{type(error).__name__}: {line}"
