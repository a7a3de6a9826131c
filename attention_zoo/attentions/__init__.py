"""The attentions, a file a family; importing this registers them."""

from attention_zoo.attentions import efficient, linear, performer, sdpa, softmax, xformers

__all__ = ["efficient", "linear", "performer", "sdpa", "softmax", "xformers"]
