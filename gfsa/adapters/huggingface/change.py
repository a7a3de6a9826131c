"""A change of a model of transformers: checked as a whole, then made."""

import logging

from torch import nn
from transformers import PreTrainedModel

from attention_zoo import UnsupportedError, UsageError
from attention_zoo.build import require_causal
from attention_zoo.options import spell
from gfsa.adapters.apply import Change
from gfsa.adapters.huggingface.adapter import (
    IMPLEMENTATIONS,
    PLACE,
    Adapter,
    after,
    before,
    dropout_error,
    register,
)
from gfsa.adapters.huggingface.modules import Found, attentions, eager_function, is_cross

log = logging.getLogger(__name__)


def change_model(model: nn.Module, change: Change) -> None:
    kind = type(model).__name__
    if not isinstance(model, PreTrainedModel):
        if is_cross(model, ""):
            raise UnsupportedError(f"{kind}: cross-attention has no square Ā to filter")
        raise UsageError(f"give a whole model of transformers, not its {kind}")
    stacks = attentions(model)
    if not stacks:
        raise UnsupportedError(
            f"{kind} has no attention that goes through transformers' registry of attention "
            "functions, so nothing can be put into it"
        )
    if any(hasattr(found.module, PLACE) for stack in stacks.values() for found in stack):
        raise UsageError(f"{kind} has been changed before: begin with a model as it was loaded")
    implementation = model.config._attn_implementation
    if implementation not in IMPLEMENTATIONS:
        raise UnsupportedError(
            f"{kind} runs attn_implementation={implementation!r}: load it with "
            f"{' or '.join(map(repr, IMPLEMENTATIONS))}"
        )
    times = shared_by(model, change)
    made = [
        (found, adapter_of(found, change, len(stack), implementation))
        for stack in stacks.values()
        for found in (stack[n - 1] for n in change.chosen(len(stack), kind))
    ]
    for found, adapter in made:
        put(found.module, adapter)
    register()
    model.set_attn_implementation(IMPLEMENTATIONS[implementation])
    model.config.gfsa = {"filter": change.text, "layers": spell(change.layers)}
    if times:
        log.warning("%s: one set of weights for all %d layers, which share them", kind, times)


def shared_by(model: PreTrainedModel, change: Change) -> int:
    """How many layers one attention stands in, where that is more than one (ALBERT)."""
    config = model.config
    groups = getattr(config, "num_hidden_groups", config.num_hidden_layers)
    if groups >= config.num_hidden_layers:
        return 0
    if change.layers != "all":
        raise UnsupportedError(
            f"{type(model).__name__}: its {config.num_hidden_layers} layers share {groups} set(s) "
            f"of weights, so layers={spell(change.layers)} cannot tell them apart: use layers=all"
        )
    return config.num_hidden_layers // groups


def adapter_of(found: Found, change: Change, depth: int, implementation: str) -> Adapter:
    filters = change.filters(found.heads, found.number)
    if implementation == "eager" and eager_function(found.module) is None:
        raise UnsupportedError(f"{found}: its eager attention was not found; use 'sdpa'")
    if getattr(found.module, "reorder_and_upcast_attn", False):
        raise UnsupportedError(f"{found}: reorder_and_upcast_attn is not supported")
    if implementation != "eager" and found.dropout:
        raise UnsupportedError(dropout_error(str(found)))
    if found.causal:
        require_causal(filters)
    adapter = Adapter(found, filters, depth)
    like = next(found.module.parameters())
    return adapter.to(like.device, like.dtype if like.is_floating_point() else None)


def put(module: nn.Module, adapter: Adapter) -> None:
    adapter.train(module.training)
    module.add_module(PLACE, adapter)
    module.register_forward_pre_hook(before, with_kwargs=True)
    module.register_forward_hook(after)
