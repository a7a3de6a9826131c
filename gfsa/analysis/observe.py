"""What goes through the attention layers of a model, seen from outside."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from attention_zoo import AttentionOperator, Filter, FilteredOperator, UsageError
from attention_zoo.layer import SelfAttention
from attention_zoo.packing import Packing


@dataclass(frozen=True)
class State:
    """x (B, N, C) with its padding mask (B, N), None where nothing is padded."""

    x: Tensor
    keep: Tensor | None


@dataclass(frozen=True)
class Observation:
    """One application of an attention layer, of a packed batch to one group of examples. x: what
    goes into the layer; y: what it returns, both (B, N, C). operator: with its filters on it.
    shared: what layers hand to each other, as the layer takes it; None where it was given none."""

    x: Tensor
    y: Tensor
    keep: Tensor | None
    operator: AttentionOperator
    shared: dict[str, Tensor] | None = None

    @property
    def base(self) -> AttentionOperator:
        """Ā, without filters."""
        operator = self.operator
        while isinstance(operator, FilteredOperator):
            operator = operator.operator
        return operator

    @property
    def filters(self) -> list[Filter]:
        """In the order in which they stand on Ā."""
        operator, found = self.operator, []
        while isinstance(operator, FilteredOperator):
            found.append(operator.filter)
            operator = operator.operator
        return found[::-1]  # type: ignore[return-value]


@contextmanager
def observe(model: nn.Module) -> Iterator[list[list[Observation]]]:
    """Inside it, each forward pass of a model adds what its attention layers did: a list for each
    `SelfAttention` in the order of the model's modules. What the model computes stays the same.

    Raises UsageError, in the forward pass, where a fused kernel took examples of several lengths as
    one sequence: give one example at a time, or a padded batch.

    >>> import torch
    >>> from attention_zoo import build_layer
    >>> layer = build_layer("linear+gfsa", dim=8, heads=2, max_len=16)
    >>> with observe(layer) as layers:
    ...     y = layer(torch.randn(1, 16, 8))
    >>> type(layers[0][0].base).__name__, layers[0][0].y is y
    ('FactoredOperator', True)
    """
    found = [module for module in model.modules() if isinstance(module, SelfAttention)]
    seen: list[list[Observation]] = [[] for _ in found]
    with ExitStack() as hooks:
        for layer, into in zip(found, seen, strict=True):
            operators: list[AttentionOperator] = []
            hooks.enter_context(_removed(_watch_attention(layer, operators)))
            hooks.enter_context(_removed(_watch_layer(layer, operators, into)))
        yield seen


@contextmanager
def states(modules: Iterable[nn.Module]) -> Iterator[list[list[State]]]:
    """Inside it, each forward pass adds the hidden states through a stack of blocks `(x, keep) ->
    x`: the input of the first, then the output of each, a list for each of them."""
    blocks = list(modules)
    seen: list[list[State]] = [[] for _ in range(len(blocks) + 1)]
    with ExitStack() as hooks:
        for i, block in enumerate(blocks):

            def hook(
                _: nn.Module, given: tuple[Any, ...], named: dict[str, Any], y: Tensor, i: int = i
            ) -> None:
                x, keep, _ = _arguments(*given, **named)
                if i == 0:
                    seen[0] += [State(part, mask) for mask, part in _padded(keep, x)]
                seen[i + 1] += [State(part, mask) for mask, part in _padded(keep, y)]

            hooks.enter_context(_removed(block.register_forward_hook(hook, with_kwargs=True)))
        yield seen


def _watch_attention(layer: SelfAttention, operators: list[AttentionOperator]) -> Any:
    def hook(module: nn.Module, given: tuple[Any, ...], operator: AttentionOperator) -> None:
        operators.append(operator)

    return layer.attention.register_forward_hook(hook)


def _watch_layer(
    layer: SelfAttention, operators: list[AttentionOperator], into: list[Observation]
) -> Any:
    def hook(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], y: Tensor) -> None:
        x, keep, shared = _arguments(*given, **named)
        made = [*operators]
        operators.clear()
        names = [] if shared is None else list(shared)
        handed = [shared[name] for name in names]
        parts = _padded(keep, x, y, *handed, whole=layer.attention.shares)
        for operator, (mask, x, y, *rest) in zip(made, parts, strict=False):  # none of no tokens
            of_group = None if shared is None else dict(zip(names, rest, strict=True))
            one = Observation(x, y, mask, operator, of_group)
            if one.base.lengths:
                raise UsageError(
                    f"{len(one.base.lengths)} examples went through one kernel as one sequence; "
                    "observe one example at a time, or a padded batch"
                )
            into.append(one)

    return layer.register_forward_hook(hook, with_kwargs=True)


def _arguments(
    x: Tensor,
    keep: Tensor | Packing | None = None,
    shared: dict[str, Tensor] | None = None,
    *further: Any,
    **named: Any,
) -> tuple[Tensor, Any, Any]:
    return x, keep, shared


def _padded(
    keep: Tensor | Packing | None, *packed: Tensor, whole: bool = False
) -> Iterator[tuple[Any, ...]]:
    """The mask and (B, N, C) of each tensor, for each group of a packed batch."""
    if not isinstance(keep, Packing):
        yield keep, *packed
        return
    for group, *parts in keep.parts(*packed, whole=whole):
        yield group.keep, *(group.pad(part) for part in parts)


@contextmanager
def _removed(handle: Any) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()
