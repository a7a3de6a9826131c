"""What decoding keeps besides keys and values, in the cache of transformers that those are in."""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicLayer, EncoderDecoderCache

from attention_zoo import DecodingCache, UnsupportedError, UsageError


class FilterLayer(CacheLayerMixin):
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
        raise UsageError("this layer of the cache belongs to a filter, not to a layer of the model")

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


def cache_of(
    given: Cache | None, layer: int, depth: int, past: int, name: str
) -> DecodingCache | None:
    """That of the filter in one of the model's `depth` layers, of `past` tokens."""
    if given is None:
        return None
    cache = given.self_attention_cache if isinstance(given, EncoderDecoderCache) else given
    kind = type(cache.layers[layer])
    if kind is not DynamicLayer or cache.offloading:
        what = "an offloaded cache" if cache.offloading else kind.__name__
        raise UnsupportedError(
            f"{name}: decoding needs a DynamicCache, not {what}: leave out cache_implementation, "
            "or give use_cache=False"
        )
    while len(cache.layers) < depth:  # a cache that grows with the layers that ask for it
        cache.layers.append(DynamicLayer())
    own = [one for one in cache.layers[depth:] if one.owner == layer]
    if not own:
        own = [FilterLayer(layer)]
        cache.layers += own
    if own[0].cache.length != past:
        raise UsageError(
            f"{name}: the cache has {past} tokens, of which {own[0].cache.length} are known here: "
            "fill it with the model as it is now"
        )
    return own[0].cache
