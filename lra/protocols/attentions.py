"""With which options the source of a protocol ran each attention: what a bare name means under it.

What decides Ā, not how often it is drawn anew (`redraw`). Where a source computes something else
than the attention of that name here, the attention's docstring says so, and no option brings it
back; left out for that reason are Google's `reformer` (10 chunks of whatever length), `sparse`
(`sparse:pattern=fixed,stride=50,c=10`, but causal) and `synthesizer`.
Read at google-research/long-range-arena cd31e5c, pkuzengqi/Skyformer 1a677cb and
mlpen/Nystromformer 5689313.
"""

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attention_zoo  # whose names are imported, and torch with them, when they are first used
from attention_zoo.errors import UsageError
from lra.settings import Stated

if TYPE_CHECKING:
    from lra.protocols.protocol import Protocol


PERFORMER = (
    "performer: rp_dim; attention_performer.py, kernel_type has no effect without "
    "generalized_attention, and q and k of width 32 are scaled twice"
)
NYSTROMFORMER = (
    Stated(
        "nystrom:landmarks=64,conv=35",
        "LRA/code/lra_config.py, nystrom-64: num_landmarks, conv_kernel_size",
    ),
    Stated(
        "linformer:rank=256,per_head=true",
        "LRA/code/lra_config.py, linformer-256: linformer_k; attention_linformer.py, E",
    ),
    Stated(
        "performer:features=256,kernel=softmax,logit_scale=1/D",
        f"LRA/code/lra_config.py, {PERFORMER}",
    ),
    Stated(
        "reformer:hashes=2,chunk=64",
        "LRA/code/lra_config.py, reformer-2: num_hash; transformers, lsh_attn_chunk_length",
    ),
)
SKYFORMER = (
    Stated(
        "nystrom:landmarks=128,conv=0",
        "src/config.py, nystrom: num_landmarks, no conv_kernel_size",
    ),
    Stated(
        "linformer:rank=128,per_head=true",
        "src/config.py, linformer: linformer_k; models/attention_linformer.py, E",
    ),
    Stated("performer:features=128,kernel=softmax,logit_scale=1/D", f"src/config.py, {PERFORMER}"),
    Stated(
        "reformer:hashes=2,chunk=64",
        "src/config.py, reformer: num_hash; transformers, lsh_attn_chunk_length",
    ),
    Stated("bigbird:block=64,random=3", "src/config.py, bigbird: block_size, num_random_blocks"),
    Stated("informer:factor=auto", "src/config.py, informer: in_nb_features=128, for ⌈128/ln N⌉"),
    Stated(
        "skyformer:features=128,iterations=6,ridge=0.1",
        "src/config.py, skyformer: nb_features; models/attention_skyformer.py, iterative_inv, STAS",
    ),
)
GOOGLE = (
    Stated(
        "linformer:rank=16,share=kv",
        "models/linformer/linformer_attention.py, low_rank_features=16 (the 32 of "
        "text_classification/configs/linformer_base.py does not reach it)",
    ),
    Stated(
        "performer:features=0,kernel=relu",
        "models/performer/performer.py, _DEFAULT_ATTENTION_FN_CLS; performer_attention.py, "
        "make_fast_generalized_attention: kernel_fn, features_type=deterministic",
    ),
    Stated(
        "longformer:window=512,globals=0",
        "models/longformer/longformer.py, sliding_window_size=512, global_mask=None",
    ),
    Stated(
        "bigbird:block=64,random=3",
        "models/bigbird/bigbird.py, _DEFAULT_BLOCK_SIZE; bigbird_attention.py, num_rand_blocks",
    ),
    Stated("local:block=50", "models/local/local.py, block_size=50"),
    Stated(
        "sinkhorn:block=50",
        "models/sinkhorn_transformer/sinkhorn_transformer.py, block_size=50",
    ),
)


def spec_under(text: str, protocol: "Protocol") -> "attention_zoo.Spec":
    """A spec as it is meant under a protocol: options that are not given are those of the source,
    unless those that are given choose another formula than the source's (`performer:kernel=relu`).

    The result spells all options that are not the class' defaults, and those that the protocol has
    otherwise: it can be read with the protocol or without. Raises UsageError as `parse_spec`.
    """
    return attention_zoo.parse_spec(text, _options(protocol.stated, protocol.file))


@functools.cache
def _options(stated: tuple[Stated, ...], file: str) -> Mapping[str, Mapping[str, Any]]:
    try:
        specs = [attention_zoo.parse_spec(one.spec) for one in stated]
        if filtered := next((spec for spec in specs if spec.filters), None):
            raise UsageError(f"{filtered} has a filter: give an attention's own options alone")
        return {spec.attention.name: dict(spec.attention.options) for spec in specs}
    except UsageError as error:
        raise UsageError(f"{file}: attentions: {error}") from None
