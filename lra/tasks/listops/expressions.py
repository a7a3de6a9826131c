"""ListOps expressions: their tokens and what they evaluate to (Nangia & Bowman 2018)."""

from collections.abc import Sequence

from attention_zoo import UsageError

# Fixed and sorted, so that an id means the same in every process; id 0 is padding.
DIGITS = tuple("0123456789")
OPERATORS = ("[MAX", "[MED", "[MIN", "[SM")
CLOSE = "]"
VOCABULARY = ("<pad>", *DIGITS, *OPERATORS, CLOSE)
IDS = {token: i for i, token in enumerate(VOCABULARY)}
DIGIT_0, CLOSE_ID = IDS["0"], IDS[CLOSE]
MAX_ID, MED_ID, MIN_ID, SM_ID = (IDS[token] for token in OPERATORS)


def encode(text: str) -> bytes:
    """Token ids of an expression; parentheses, which carry nothing, are dropped."""
    tokens = text.split()
    try:
        return bytes(IDS[token] for token in tokens if token not in "()")
    except KeyError as error:
        raise UsageError(f"ListOps has no token {error.args[0]!r}") from None


def decode(ids: bytes) -> str:
    return " ".join(VOCABULARY[i] for i in ids)


def operate(operator: int, values: Sequence[int]) -> int:
    """The value of one operator; MED of an even count is the mean of the middle two, cut down."""
    if operator == MAX_ID:
        return max(values)
    if operator == MIN_ID:
        return min(values)
    if operator == SM_ID:
        return sum(values) % 10
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) // 2


def evaluate(ids: bytes) -> int:
    """The digit that an expression stands for; UsageError where it is none."""
    stack: list[tuple[int, list[int]]] = [(0, [])]
    for i in ids:
        if MAX_ID <= i <= SM_ID:
            stack.append((i, []))
        elif DIGIT_0 <= i < MAX_ID:
            stack[-1][1].append(i - DIGIT_0)
        elif i == CLOSE_ID and len(stack) > 1 and stack[-1][1]:
            operator, values = stack.pop()
            stack[-1][1].append(operate(operator, values))
        else:
            raise UsageError(f"not a ListOps expression: {decode(ids[:40])!r}")
    if len(stack) != 1 or len(stack[0][1]) != 1:
        raise UsageError(f"not one whole ListOps expression: {decode(ids[:40])!r}")
    return stack[0][1][0]
