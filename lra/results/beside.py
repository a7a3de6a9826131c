"""What stands in a run's folder beside its record: JSON with a schema, read in one way."""

from pathlib import Path
from typing import TypeVar

from pydantic import AfterValidator

from attention_zoo import UsageError
from lra.typed import load

T = TypeVar("T")


def of_schema(number: int, hint: str = "") -> AfterValidator:
    """For the annotation of a field `schema`: any other is refused, with a hint of what to do."""

    def check(schema: int) -> int:
        if schema != number:
            raise UsageError(
                f"made by another version of lra-gfsa: schema {schema}, this one reads {number}"
                f"{hint}"
            )
        return schema

    return AfterValidator(check)


def read_beside(cls: type[T], path: Path) -> T | None:
    """None where there is no such file; UsageError names it and what is wrong with it."""
    try:
        return load(cls, path.read_bytes())
    except FileNotFoundError:
        return None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
