"""LSTM: the recurrent network, over real tokens."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from attention_zoo.attention import Support
from attention_zoo.errors import UsageError
from attention_zoo.mixer import Mixer
from attention_zoo.parts.ranks import from_front, to_front
from attention_zoo.precision import full_precision
from attention_zoo.registry import register_mixer


@register_mixer("lstm")
class LSTM(Mixer):
    """One layer of long short-term memory with forget gates, and a linear layer behind it:

        (i, f, g, o)ₜ = (σ, σ, tanh, σ)(W xₜ + b + U hₜ₋₁ + b′),  h₋₁ = c₋₁ = 0
        cₜ = f ⊙ cₜ₋₁ + i ⊙ g,  hₜ = o ⊙ tanh(cₜ),  yₜ = P hₜ + p

    and, bidirectional, P (hₜ, h′ₜ) + p, where h′ runs from the last real token with weights of its
    own. t counts real tokens, packed together, so that neither the amount nor the place of padding
    matters. Packing reads the lengths from the device once for a call. N steps follow one another.

    Args:
        width: of h, 0 for C.
        bidirectional: whether later tokens are seen; without, it is causal.

    Depth, norm and the residual connection belong to the model, not to the mixer. We know of no
    Long Range Arena configuration by the authors.
    Hochreiter and Schmidhuber 1997 (doi 10.1162/neco.1997.9.8.1735); forget gates, Gers et al. 2000
    (doi 10.1162/089976600300015015).
    """

    support = Support(
        paper="Hochreiter and Schmidhuber 1997",
        time="N",
        memory="N",
        family="recurrent networks",
        second_derivatives=False,  # the CUDA kernel has none
        vmap=False,  # packing reads lengths
        dynamic_length=False,
    )
    exceptions: ClassVar = {"export": "packing reads the lengths of the examples"}
    check_also = ("bidirectional=false,width=5",)

    def __init__(
        self, *, dim: int, max_len: int, width: int = 0, bidirectional: bool = True
    ) -> None:
        super().__init__(dim=dim, max_len=max_len)
        if width < 0:
            raise UsageError(f"lstm: width must be positive, or 0 for {dim}; got {width}")
        self.width, self.bidirectional = width or dim, bidirectional
        self.lstm = nn.LSTM(dim, self.width, batch_first=True, bidirectional=bidirectional)
        self.out = nn.Linear((1 + bidirectional) * self.width, dim)

    def mix(self, x: Tensor, keep: Tensor | None) -> Tensor:
        B, N, _ = x.shape
        # Of an example without tokens one zero, as packing refuses a length of 0.
        lengths = torch.full((B,), N) if keep is None else keep.sum(1).clamp(min=1).cpu()
        given = [weight for direction in self.lstm.all_weights for weight in direction]
        with full_precision(to_front(x, keep), *given) as (front, *weights):
            packed = pack_padded_sequence(front, lengths, batch_first=True, enforce_sorted=False)
            start = front.new_zeros(1 + self.bidirectional, B, self.width)
            h, _, _ = torch.lstm(
                packed.data,
                packed.batch_sizes,
                (start, start),
                weights,
                True,  # biases
                1,  # layers
                0.0,  # dropout
                self.training,
                self.bidirectional,
            )
            states = PackedSequence(h, *packed[1:])
            h, _ = pad_packed_sequence(states, batch_first=True, total_length=N)
        return self.out(from_front(h.to(x.dtype), keep))

    def reference(self, x: Tensor, keep: Tensor | None) -> Tensor:
        p = {name: value.double() for name, value in self.named_parameters()}
        examples = []
        for b, row in enumerate(x.double()):
            places = [i for i in range(len(row)) if keep is None or keep[b, i]]
            found = [torch.zeros(self.out.in_features, dtype=row.dtype)] * len(row)
            directions = []
            for suffix in ("", "_reverse")[: 1 + self.bidirectional]:
                W, U, bias, other = (
                    p[f"lstm.{name}_l0{suffix}"]
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
                h = c = torch.zeros(self.width, dtype=row.dtype)
                states = dict[int, Tensor]()
                for t in reversed(places) if suffix else places:
                    i, f, g, o = (W @ row[t] + bias + U @ h + other).chunk(4)
                    c = c / (1 + (-f).exp()) + g.tanh() / (1 + (-i).exp())
                    h = c.tanh() / (1 + (-o).exp())
                    states[t] = h
                directions.append(states)
            for t in places:
                found[t] = torch.cat([states[t] for states in directions])
            examples.append(torch.stack(found))
        return torch.stack(examples) @ p["out.weight"].T + p["out.bias"]
