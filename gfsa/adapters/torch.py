"""Models of torch, timm and others that call `scaled_dot_product_attention`."""

import inspect
from typing import Any

from torch import nn

from attention_zoo import UnsupportedError, UsageError
from gfsa.adapters.apply import Change
from gfsa.adapters.intercept import (
    Adapter,
    FilterAdapter,
    ZooAdapter,
    already,
    dropout_error,
    put,
)

CALL = "scaled_dot_product_attention"
HEADS = ("num_heads", "n_heads", "n_head", "heads", "num_attention_heads")
RELATIVE = ("relative_position_bias_table", "rel_pos")


def matches(model: nn.Module) -> bool:
    """Asked last: any module may hold one that calls torch's attention functions."""
    return True


def apply(model: nn.Module, change: Change) -> None:
    """See `apply_gfsa` and `apply_attention`."""
    kind = type(model).__name__
    if already(model):
        raise UsageError(f"{kind} has been changed before: begin with a model as it was made")
    stacks = attentions(model)
    if not stacks:
        raise UnsupportedError(
            f"{kind} has no nn.MultiheadAttention and no module that calls {CALL}, so nothing can "
            "be put into it"
        )
    made = []
    for stack, modules in stacks.items():
        for number in change.chosen(len(modules), f"{kind} ({stack or 'itself'})"):
            name, module = modules[number - 1]
            made.append((module, adapter_of(model, name, module, number, change)))
    for module, adapter in made:
        put(module, adapter)
        if hasattr(module, "fused_attn"):  # of timm, which else multiplies Ā out by itself
            module.fused_attn = True
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False  # of its fast path, which calls no attention function


def attentions(model: nn.Module) -> dict[str, list[tuple[str, Any]]]:
    """The names and modules of each stack of layers, in order."""
    stacks: dict[str, list[tuple[str, Any]]] = {}
    for name, module in model.named_modules():
        parts = name.split(".")
        if parts[-1] == "multihead_attn" or not _attends(name, module):
            continue  # the former is the cross-attention of nn.TransformerDecoderLayer
        first = next((i for i, part in enumerate(parts) if part.isdigit()), len(parts) - 1)
        stacks.setdefault(".".join(parts[:first]), []).append((name, module))
    return stacks


def _attends(name: str, module: nn.Module) -> bool:
    if isinstance(module, nn.MultiheadAttention):
        return True
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    if code is not None and CALL in code.co_names:
        return True
    if all(hasattr(module, part) for part in ("qkv", "num_heads", "proj")):
        raise UnsupportedError(
            f"{name} ({type(module).__name__}) computes attention by itself, without {CALL}"
        )
    return False


def adapter_of(model: nn.Module, name: str, module: Any, number: int, change: Change) -> Adapter:
    label = f"{name or 'the model'} ({type(module).__name__})"
    heads = next((getattr(module, one) for one in HEADS if hasattr(module, one)), None)
    if not isinstance(heads, int):
        raise UnsupportedError(f"{label}: none of {', '.join(HEADS)} was found in it")
    for extra in ("bias_k", "add_zero_attn"):
        given = getattr(module, extra, None)
        if given is not None and given is not False:
            raise UnsupportedError(f"{label}: {extra} adds a key without a query: Ā is not square")
    dropout = attention_dropout(module)
    if not change.own:
        adapter: Adapter = _replaced(label, module, heads, number, change, longest(model, change))
    elif dropout:
        raise UnsupportedError(dropout_error(label))
    else:
        adapter = FilterAdapter(label, change.filters(heads, number))
    like = next(module.parameters())
    return adapter.to(like.device, like.dtype)


def attention_dropout(module: Any) -> float:
    """Of nn.MultiheadAttention and of timm; what others have is seen when they call."""
    if isinstance(module, nn.MultiheadAttention):
        return module.dropout
    return float(getattr(getattr(module, "attn_drop", None), "p", 0.0))


def longest(model: Any, change: Change) -> int | None:
    """As given, or the patches of a model of timm with what it puts before them."""
    if change.max_len is not None or not hasattr(model, "patch_embed"):
        return change.max_len
    return int(model.patch_embed.num_patches) + int(getattr(model, "num_prefix_tokens", 0))


def _replaced(
    label: str, module: Any, heads: int, number: int, change: Change, max_len: int | None
) -> ZooAdapter:
    if any(getattr(module, one, None) is not None for one in RELATIVE):
        raise UnsupportedError(
            f"{label} adds position biases to the scores, which attentions of the zoo do not have: "
            "apply_gfsa keeps them"
        )
    width = getattr(module, "embed_dim", None) or getattr(module, "attn_dim", None)
    if width is None and hasattr(module, "qkv"):
        width = module.qkv.out_features // 3
    if width is None:
        raise UnsupportedError(f"{label}: its width was found neither in embed_dim nor in qkv")
    if max_len is None:
        raise UsageError(f"{label}: give max_len=, the greatest number of tokens")
    options = {"dropout": attention_dropout(module), "dim": width}
    try:
        built = change.attention(heads, width // heads, max_len, number, **options)
    except UsageError as error:
        hint = "; set its attention dropout to 0" if "dropout" in str(error) else ""
        raise type(error)(f"{label}: {error}{hint}") from error
    return ZooAdapter(label, built)
