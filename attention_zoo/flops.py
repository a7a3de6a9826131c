"""Operations of an attention from its formula, to be held to those that are counted."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Product:
    """`count` products of an m×k matrix with a k×n matrix, 2·m·k·n operations each.

    forward, backward: how often they are done in each pass. Backward it is once more for each of
    the two that needs a gradient: 2, but 1 beside a constant and 0 where none flows.
    """

    m: int
    k: int
    n: int
    count: int = 1
    forward: int = 1
    backward: int = 2

    def flops(self, training: bool) -> int:
        passes = self.forward + (self.backward if training else 0)
        return 2 * self.m * self.k * self.n * self.count * passes


Products = tuple[Product, ...]


def linear_product(layer: nn.Linear, rows: int, input_grad: bool = True) -> Product:
    """Of a linear layer on `rows` vectors; input_grad: whether these need a gradient."""
    backward = layer.weight.requires_grad + input_grad
    return Product(rows, layer.in_features, layer.out_features, backward=backward)


@dataclass(frozen=True)
class Inputs:
    """What an attention is given: q, k and v (B, H, N, D), which need gradients in training.

    input_grad: whether the layer's input x does, too. lengths: how many tokens of each example are
    real, None without a mask. dtype, device: theirs, by which some kernels are chosen.
    """

    B: int
    H: int
    N: int
    D: int
    input_grad: bool = True
    lengths: tuple[int, ...] | None = None
    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.B, self.H, self.N, self.D


@dataclass(frozen=True)
class Cost:
    """The products that make an operator, and those that apply it to v once.

    closed: those of a polynomial of an order, where that is not one application an order.
    """

    making: Products = ()
    applying: Products = ()
    closed: Callable[[int], Products] | None = None

    def made_by(self, *products: Product) -> "Cost":
        """With further products that make it."""
        return replace(self, making=(*self.making, *products))

    def polynomial(self, order: int) -> Products:
        """Those of Σ cₖ Āᵏ v, k = 0 … order."""
        return self.closed(order) if self.closed else order * self.applying

    def __add__(self, other: "Cost") -> "Cost":
        """Of a sum of two operators."""
        return Cost(self.making + other.making, self.applying + other.applying)

    def flops(self, training: bool) -> int:
        """Of making it and applying it once."""
        return sum(product.flops(training) for product in (*self.making, *self.applying))


class StatesCost(Protocol):
    """A module that `build_attention` or `build_layer` returned."""

    @property
    def heads(self) -> int: ...

    @property
    def head_dim(self) -> int: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def cost(self, inputs: Inputs) -> Cost | None: ...


def formula_flops(
    module: StatesCost,
    B: int,
    N: int,
    *,
    training: bool,
    input_grad: bool = True,
    lengths: Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> int | None:
    """What `count_flops` finds for one call of a module that `build_attention` (with one
    application to v) or `build_layer` returned, by the formula that its attention states; None
    where it, or a filter on it, states none.

    training: with the backward pass, of a loss that the attention's `auxiliary_loss` is part of
    where it has one. q, k, v and all parameters then need gradients, and input_grad says whether
    the layer's input x does. lengths: how many tokens of each example are real, None without a
    mask. dtype, device: of q, k and v; None for those of the module's parameters, or the defaults.
    N is at least 2: with a single token torch does some products by element, which count nothing.
    """
    like: Tensor = next(module.parameters(), torch.empty(0))
    inputs = Inputs(
        B,
        module.heads,
        N,
        module.head_dim,
        input_grad,
        None if lengths is None else tuple(lengths),
        like.dtype if dtype is None else dtype,
        like.device if device is None else torch.device(device),
    )
    cost = module.cost(inputs)
    return None if cost is None else cost.flops(training)
