"""Somebody's attention module, with projections and a mask convention of its own, as it comes.

python run_lra.py check torch-mha --plugin wrapped_module
"""

from torch import Tensor, nn

from attention_zoo import Mixer, Support, register_mixer


@register_mixer("torch-mha")
class TorchAttention(Mixer):
    """nn.MultiheadAttention. Vaswani et al. 2017 (arXiv 1706.03762), §3.2.2."""

    support = Support(
        paper="Vaswani et al. 2017",
        time="N²",
        memory="N",
        family="wrapped",
        second_derivatives=False,
    )

    def __init__(self, *, dim: int, max_len: int, heads: int) -> None:
        super().__init__(dim=dim, max_len=max_len)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        pads = None
        if keep is not None:  # where this module has True for padding, and NaN where all is
            pads = ~keep & keep.any(1, keepdim=True)
        return self.attention(x, x, x, key_padding_mask=pads, need_weights=False)[0]
