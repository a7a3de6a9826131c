"""Random ListOps expressions with the distribution of LRA's own generator (Tay et al. 2021)."""

import random
from dataclasses import dataclass
from functools import partial

from tqdm import tqdm

from attention_zoo import UsageError
from lra.jobs.pool import mapper
from lra.seeds import derive
from lra.tasks.listops.expressions import CLOSE_ID, DIGIT_0, MAX_ID, evaluate

OPERATOR_PROBABILITY = 0.25
CHUNK = 250  # accepted expressions that one generator, seeded by the chunk's number, yields
MAX_DRAWS = 2_000_000  # in one chunk, before the bounds are called unsatisfiable


@dataclass(frozen=True)
class Shape:
    """An accepted expression has min_length < tokens < max_length, both strict."""

    min_length: int
    max_length: int
    max_depth: int
    max_args: int


def draw(rng: random.Random, shape: Shape) -> bytes | None:
    """One random tree as token ids, or None where its length is out of bounds.

    A node above the deepest level is an operator with probability ¼, of 2…max_args arguments;
    every other node is a uniform digit.
    """
    # The work of a few seconds is here: lengths are counted, not asked for.
    uniform = rng.random
    longest, deepest, choices = shape.max_length, shape.max_depth - 1, shape.max_args - 1
    tokens = bytearray()
    append = tokens.append
    waiting: list[int] = []  # what is still to draw for each operator around the innermost
    left = 1  # and for the innermost
    depth = length = 0
    while length < longest:
        length += 1
        if depth < deepest and uniform() < OPERATOR_PROBABILITY:
            append(MAX_ID + int(uniform() * 4))
            waiting.append(left)
            left = 2 + int(uniform() * choices)
            depth += 1
            continue
        append(DIGIT_0 + int(uniform() * 10))
        left -= 1
        while not left and depth:
            append(CLOSE_ID)
            length += 1
            depth -= 1
            left = waiting.pop() - 1
        if not left:
            return bytes(tokens) if shape.min_length < length < longest else None
    return None


def chunk(seed: int, shape: Shape, number: int) -> list[bytes]:
    """The accepted expressions of chunk `number`."""
    rng = random.Random(derive(seed, "listops", number))
    accepted: list[bytes] = []
    for _ in range(MAX_DRAWS):
        tokens = draw(rng, shape)
        if tokens is not None:
            accepted.append(tokens)
            if len(accepted) == CHUNK:
                break
    return accepted


def distinct_expressions(
    total: int, seed: int, shape: Shape, workers: int | None = None
) -> list[tuple[bytes, int]]:
    """`total` distinct (expression, value) pairs in an order of the seed's, whatever `workers`.

    Chunks are drawn in parallel and used in their order, so only the seed decides. The order is
    drawn last: among distinct expressions the early ones would be the likely ones.
    """
    found: dict[bytes, int] = {}
    with (
        mapper(workers, -(-total // CHUNK)) as mapped,
        tqdm(total=total, desc="generating ListOps", unit=" expressions", disable=None) as bar,
    ):
        done = 0
        while len(found) < total:
            before = len(found)
            numbers = range(done, done + -(-(total - before) // CHUNK))
            done = numbers.stop
            for pairs in mapped(partial(_evaluated_chunk, seed, shape), numbers):
                if len(pairs) < CHUNK:
                    raise _too_few(f"in {MAX_DRAWS:,} draws {len(pairs)}", shape)
                for tokens, value in pairs:
                    if len(found) < total:
                        found.setdefault(tokens, value)
                bar.update(len(found) - bar.n)
            if len(found) == before:
                raise _too_few(f"{before} distinct", shape)
    pairs = list(found.items())
    random.Random(derive(seed, "listops", "order")).shuffle(pairs)
    return pairs


def _too_few(what: str, shape: Shape) -> UsageError:
    return UsageError(
        f"found only {what} ListOps expressions of {shape.min_length + 1} to "
        f"{shape.max_length - 1} tokens: widen task.min_length and task.max_length, raise "
        "task.max_depth, or ask for fewer"
    )


def _evaluated_chunk(seed: int, shape: Shape, number: int) -> list[tuple[bytes, int]]:
    return [(tokens, evaluate(tokens)) for tokens in chunk(seed, shape, number)]
