"""The inputs of the contract, and how two results are held to each other."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.attention import Attention
from attention_zoo.build import FilteredAttention, build_attention, without_remedies
from attention_zoo.layer import SelfAttention, build_layer
from attention_zoo.mixer import Mixer
from attention_zoo.mixer_layer import MixerLayer
from attention_zoo.operators import AttentionOperator, DecodingCache

H, D, MAX_LEN = 2, 8, 80
C = H * D
Built = Attention | FilteredAttention
CAUSAL = ContextVar("causal", default=False)  # which form of a spec the checks make
M = TypeVar("M", bound=nn.Module)


class CheckFailed(AssertionError):
    """What a check found, with the input that shows it."""


@dataclass(frozen=True)
class Case:
    """An input of the contract, to be made again from what a failure prints.

    lengths: how many tokens of each example are real, None for all of them and no mask. holes: of
    these every third is padding, too. scale: the standard deviation of q and k.
    """

    N: int = 17
    lengths: tuple[int, ...] | None = None
    holes: bool = False
    dtype: torch.dtype = torch.float64
    scale: float = 1.0
    seed: int = 0
    latest: ClassVar["Case | None"] = None  # whose tensors were made last, for an error's report

    @property
    def keep(self) -> Tensor | None:  # (B, N)
        if self.lengths is None:
            return None
        place = torch.arange(self.N)
        keep = place < torch.tensor(self.lengths)[:, None]
        return keep & (place % 3 != 1) if self.holes else keep

    @property
    def real(self) -> Tensor:  # (B, N)
        """`keep`, all True without a mask."""
        return torch.ones(3, self.N, dtype=torch.bool) if self.keep is None else self.keep

    @property
    def rows(self) -> Tensor:  # (B, 1, N, 1) or a scalar
        return torch.tensor(True) if self.keep is None else self.keep[:, None, :, None]

    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """q, k, v (B, H, N, D) and x (B, N, C), leaves of the graph."""
        Case.latest = self
        B = len(self.lengths or (0, 0, 0))
        draws = torch.Generator().manual_seed(self.seed)
        q, k, v = torch.randn(3, B, H, self.N, D, generator=draws, dtype=torch.float64)
        x = torch.randn(B, self.N, C, generator=draws, dtype=torch.float64)
        q, k, v, x = (
            tensor.to(self.dtype).requires_grad_()
            for tensor in (q * self.scale, k * self.scale, v, x)
        )
        return q, k, v, x

    def __str__(self) -> str:
        given = [f"N={self.N}"]
        given += [f"lengths={self.lengths}"] if self.lengths is not None else []
        given += ["holes=True"] if self.holes else []
        given += [f"dtype={self.dtype}"] if self.dtype != torch.float64 else []
        given += [f"scale={self.scale}"] if self.scale != 1 else []
        given += [f"seed={self.seed}"] if self.seed else []
        return f"Case({', '.join(given)})"


# Odd lengths, N no multiple of any block, one real token, tokens missing in between.
MASKS = (
    Case(1),
    Case(7),
    Case(17),
    Case(33),
    Case(1, (1, 1, 1)),
    Case(7, (7, 4, 1)),
    Case(17, (17, 9, 1)),
    Case(33, (33, 32, 2)),
    Case(33, (33, 20, 3), holes=True),
)
PADDED = Case(17, (17, 9, 1))


def attention(spec: str, dtype: torch.dtype = torch.float64) -> Built:
    """The spec's module with H heads of width D, its parameters moved from where they start."""
    return disturb(built(spec, heads=H, head_dim=D, max_len=MAX_LEN, dim=C)).to(dtype).eval()


def built(spec: str, *, heads: int, head_dim: int, max_len: int, dim: int) -> Built:
    """The attention of a spec with its filters, which is all that has an operator."""
    return build_attention(
        without_remedies(spec),
        heads=heads,
        head_dim=head_dim,
        max_len=max_len,
        dim=dim,
        causal=CAUSAL.get(),
    )


def layer(spec: str, dtype: torch.dtype = torch.float64) -> Any:
    module = build_layer(spec, dim=C, heads=H, max_len=MAX_LEN, causal=CAUSAL.get())
    return disturb(module).to(dtype).eval()


def disturb(module: M) -> M:
    """Moves every parameter from its initial value, where a filter would be the identity."""
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draws))
    return module


def unfiltered(module: Built | Mixer) -> Any:
    """The attention or mixer that a spec's module is, or has filters on."""
    return module.attention if isinstance(module, FilteredAttention) else module


def operator_of(
    module: Built,
    q: Tensor,
    k: Tensor,
    keep: Tensor | None,
    x: Tensor,
    cache: DecodingCache | None = None,
) -> AttentionOperator:
    return module(q, k, keep, x if module.needs_input else None, cache)


def reference_of(
    module: Built, q: Tensor, k: Tensor, keep: Tensor | None, x: Tensor
) -> Tensor:  # (B, H, N, N)
    """The attention's reference, then the references of the filters on it."""
    base = unfiltered(module)
    if keep is not None:
        q, k = (torch.where(keep[:, None, :, None], part, 0.0) for part in (q, k))
        x = torch.where(keep[..., None], x, 0.0)
    matrix = base.reference(q, k, keep, *([x] if base.needs_input else []))
    for graph_filter in module.filters if isinstance(module, FilteredAttention) else ():
        matrix = graph_filter.reference(matrix, keep)
    return matrix


def layer_reference(
    layer: SelfAttention | MixerLayer,
    keep: Tensor | None,  # (B, N)
    x: Tensor,  # (B, N, C)
    first: Tensor | None = None,  # (B, N, inner)
) -> Tensor:  # (B, N, C)
    """A layer of the attention's reference, its projections and remedies written out, or of the
    mixer's (its own float64, where it has none); first: the values of the model's first layer,
    where it is not this one."""
    real = torch.tensor(True) if keep is None else keep[..., None]
    x, made = at(real, x), dict[str, Tensor]()
    if isinstance(layer, MixerLayer):
        mixed = layer.attention.reference(x, keep)
        y = at(real, layer.attention(x, keep) if mixed is None else mixed)
        return y if layer.on_output is None else layer.on_output.reference(y, keep)
    if layer.qkv is not None:
        names = [n for n in layer.names if n != "v" or layer.on_projections is None]
        of_x = F.linear(x, layer.qkv.weight, layer.qkv.bias).chunk(len(names), -1)
        made = dict(zip(names, of_x, strict=True))
    if layer.on_projections is None:
        W_O = layer.out.weight.mT
    else:
        W_V, W_O = layer.on_projections.reference()
        made["v"] = x @ W_V
    v = made["v"]
    heads = {n: part.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for n, part in made.items()}
    q = heads.get("q", heads.get("k", heads["v"]))
    rows = real[:, None] if keep is not None else real
    matrix = reference_of(layer.attention, q, heads.get("k", q), keep, x)
    y = layer.attention.finish(at(rows, matrix) @ at(rows, heads["v"])).transpose(1, 2).flatten(2)
    if layer.on_values is not None:
        y = layer.on_values.reference(y, v, v if first is None else first)
    y = y @ W_O + (0.0 if layer.out.bias is None else layer.out.bias)
    return y if layer.on_output is None else layer.on_output.reference(y, keep)


def learned(module: nn.Module) -> dict[str, Tensor]:
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def gradients(output: Tensor, wanted: dict[str, Tensor], upstream: Tensor) -> dict[str, Tensor]:
    """Of Σ output · upstream by each of the tensors, zeros for one that it does not depend on."""
    found: Sequence[Tensor | None] = [None] * len(wanted)
    if output.requires_grad and wanted:
        found = torch.autograd.grad(output, list(wanted.values()), upstream, allow_unused=True)
    return {
        f"gradient of {name}": torch.zeros_like(tensor) if grad is None else grad
        for (name, tensor), grad in zip(wanted.items(), found, strict=True)
    }


def agree(
    actual: Tensor, expected: Tensor, what: str, case: object, tolerance: float = 1e-7
) -> None:
    """Raises CheckFailed where an entry differs by more than tolerance · (1 + |expected|)."""
    if actual.shape != expected.shape:
        raise CheckFailed(f"{what} is {tuple(actual.shape)}, not {tuple(expected.shape)}; {case}")
    wrong = ~torch.isclose(actual, expected, rtol=tolerance, atol=tolerance)
    if wrong.any():
        distance = (actual - expected).abs().nan_to_num(torch.inf) * wrong
        index = torch.unravel_index(distance.argmax(), distance.shape)
        place = ", ".join(str(i.item()) for i in index)
        raise CheckFailed(
            f"{what}[{place}] is {actual[index].item():.6g}, not {expected[index].item():.6g}: off "
            f"by {distance[index].item():.2g} ({int(wrong.sum())} of {wrong.numel()} entries "
            f"differ); {case}"
        )


def at(rows: Tensor, x: Tensor) -> Tensor:
    """x with zeros where rows (broadcast to it) is False, whatever stood there."""
    return torch.where(rows, x, 0.0)


def require(true: object, what: str, case: object) -> None:
    if not true:
        raise CheckFailed(f"{what}; {case}")
