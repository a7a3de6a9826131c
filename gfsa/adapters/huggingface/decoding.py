"""What decoding keeps besides keys and values, in the cache of transformers that those are in."""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer, EncoderDecoderCache

from attention_zoo import DecodingCache, UnsupportedError, UsageError


class DecodingLayer(CacheLayerMixin):
    """A further layer of the cache, behind those of the model's layers, so that whatever is done to
    the cache (beams, cropping, selecting examples) is done to it."""

    is_sliding, supports_early_init = False, False

    def __init__(self, owner: int) -> None:
        super().__init__()
        self.owner, self.cache = owner, DecodingCache()

    @property
    def is_croppable(self) -> bool:
        return self.cache.croppable

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None: ...

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> Any:
        raise UsageError("this layer of the cache holds no keys and values of the model")

    def get_seq_length(self) -> int:
        return self.cache.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.cache.length + query_length, 0

    def get_max_length(self) -> int:
        return -1

    def reset(self) -> None:
        self.cache = DecodingCache()

    def crop(self, tokens_to_remove: int) -> None:
        self.cache.crop(abs(tokens_to_remove))

    def reorder_cache(self, beam_idx: Tensor) -> None:
        self.cache.select(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        self.cache.select(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        self.cache.repeat(repeats)


def cache_of(given: Cache, layer: int | None, depth: int, past: int, name: str) -> DecodingCache:
    """What one of the model's `depth` layers has in its cache of `past` tokens besides their keys
    and values. Raises UnsupportedError for a cache that does not just append what it is given."""
    cache = given.self_attention_cache if isinstance(given, EncoderDecoderCache) else given
    kind = "one without layer_idx" if layer is None else type(cache.layers[layer]).__name__
    if layer is None or type(cache.layers[layer]) is not DynamicLayer or cache.offloading:
        raise UnsupportedError(
            f"{name}: decoding needs a DynamicCache on its device, not {kind}: leave out "
            "cache_implementation, or give use_cache=False"
        )
    while len(cache.layers) < depth:  # a cache that grows with the layers that ask for it
        cache.layers.append(DynamicLayer())
    further = [one for one in cache.layers[depth:] if isinstance(one, DecodingLayer)]
    own = next((one for one in further if one.owner == layer), DecodingLayer(layer))
    if own.cache.length != past:
        raise UsageError(
            f"{name}: its cache has {past} tokens, of which {own.cache.length} went through this "
            "model as it is now: begin with an empty cache"
        )
    if own not in further:
        cache.layers.append(own)
    return own.cache
