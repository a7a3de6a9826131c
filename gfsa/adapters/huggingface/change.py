"""A change of a model of transformers: checked as a whole, then made."""

import logging

from torch import nn
from transformers import PreTrainedModel

from attention_zoo import UnsupportedError, UsageError
from attention_zoo.options import spell
from gfsa.adapters.apply import Change
from gfsa.adapters.huggingface.adapter import KERNELS, PLACE, Adapter, name_of, put, register
from gfsa.adapters.huggingface.filtered import FilterAdapter
from gfsa.adapters.huggingface.modules import Found, attentions, eager_function
from gfsa.adapters.huggingface.replaced import ZooAdapter

log = logging.getLogger(__name__)


def change_model(model: nn.Module, change: Change) -> None:
    kind = type(model).__name__
    if not isinstance(model, PreTrainedModel):
        raise UsageError(
            f"give a whole model of transformers, not its {kind}: its self-attentions are changed, "
            "and cross-attention has no square Ā to filter"
        )
    stacks = attentions(model)
    if not stacks:
        raise UnsupportedError(
            f"{kind} has no attention that goes through transformers' registry of attention "
            "functions, so nothing can be put into it"
        )
    if any(hasattr(found.module, PLACE) for stack in stacks.values() for found in stack):
        raise UsageError(f"{kind} has been changed before: begin with a model as it was loaded")
    kernel = model.config._attn_implementation
    if kernel not in KERNELS:
        raise UnsupportedError(
            f"{kind} runs attn_implementation={kernel!r}: load it with "
            f"{' or '.join(map(repr, KERNELS))}"
        )
    times = shared_by(model, change)
    made = []
    for name, stack in stacks.items():
        for number in change.chosen(len(stack), f"{kind} ({name})"):
            found = stack[number - 1]
            made.append((found.module, adapter_of(model, found, change, len(stack), kernel)))
    for module, adapter in made:
        put(module, adapter)
    register()
    model.set_attn_implementation(name_of(change.own, kernel))
    key = "filter" if change.own else "spec"
    settings = {key: change.text, "layers": spell(change.layers), "max_len": change.max_len}
    model.config.gfsa = {name: value for name, value in settings.items() if value is not None}
    if times:
        log.warning("%s: one set of weights for the %d layers that share them", kind, times)


def adapter_of(
    model: PreTrainedModel, found: Found, change: Change, depth: int, kernel: str
) -> Adapter:
    if kernel == "eager" and eager_function(found.module) is None:
        raise UnsupportedError(f"{found}: its eager attention was not found: load it with 'sdpa'")
    adapter: Adapter
    if change.own:
        filters = change.filters(found.heads, found.number)
        adapter = FilterAdapter(found, filters, depth, kernel)
    else:
        adapter = ZooAdapter(found, change, depth, model)
    like = next(found.module.parameters())
    wide = like.is_floating_point() and like.dtype.itemsize > 1  # and not quantised
    return adapter.to(like.device, like.dtype if wide else None)


def shared_by(model: PreTrainedModel, change: Change) -> int:
    """How many layers one attention is in, where that is more than one (ALBERT)."""
    layers = getattr(model.config, "num_hidden_layers", 0)
    groups = getattr(model.config, "num_hidden_groups", layers)
    if groups >= layers:
        return 0
    if change.layers != "all":
        raise UnsupportedError(
            f"{type(model).__name__}: its {layers} layers share {groups} set(s) of weights, so "
            f"layers={spell(change.layers)} cannot tell them apart: use layers='all'"
        )
    return int(layers // groups)
