"""The loss of a training step, of which a batch's parts each have their share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attention_zoo.layer import SelfAttention
from attention_zoo.mixer_layer import MixerLayer
from lra.data.batches import Batch


def training_loss(model: nn.Module, part: Batch, whole: int | None = None) -> tuple[Tensor, Tensor]:
    """What some examples add to the mean cross-entropy of a batch of `whole` examples (None: of
    these alone), with what its attentions add, and how many of their answers are right.

    The sum over a batch's parts is the loss of the whole batch to rounding, but for what dropout
    draws (and for an attention's term that is no mean over examples).
    """
    tokens, keep, labels = part
    whole = whole or len(labels)
    logits = model(tokens, keep).float()
    loss = F.cross_entropy(logits, labels, reduction="sum") / whole
    terms = auxiliary_losses(model)
    if terms:
        loss = loss + torch.stack(terms).mean() * (len(labels) / whole)
    return loss, (logits.detach().argmax(-1) == labels).sum()


def auxiliary_losses(model: nn.Module) -> list[Tensor]:
    """What the attentions of a model add to the loss of its last forward pass."""
    kinds = (SelfAttention, MixerLayer)
    layers = (module for module in model.modules() if isinstance(module, kinds))
    terms = (layer.auxiliary_loss() for layer in layers)
    return [term for term in terms if term is not None]
