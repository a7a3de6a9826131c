"""What decoding keeps of the tokens before."""

import torch
from torch import Tensor

from attention_zoo.errors import UnsupportedError


class DecodingCache:
    """Of one causal attention, from its first token on; given to it again with each new token.

    Ā of a new token needs the keys of those before, and each application of it their values: v for
    the first, Āv for the second, and so on. These streams are told apart by their place in the
    order of applications, which is the same at every step, so that filters need not know of them.

    >>> from attention_zoo import build_attention
    >>> attention = build_attention("linear+gfsa", heads=2, head_dim=8, max_len=64, causal=True)
    >>> q, k, v = torch.randn(3, 1, 2, 10, 8)  # (B, H, N, D) each
    >>> cache = DecodingCache()
    >>> tokens = zip(q.split(1, 2), k.split(1, 2), v.split(1, 2))
    >>> steps = [attention(q, k, cache=cache) @ v for q, k, v in tokens]
    >>> torch.allclose(torch.cat(steps, 2), attention(q, k) @ v, atol=1e-5)
    True
    """

    def __init__(self) -> None:
        self.length = 0  # of the tokens so far
        self._tensors: dict[str, Tensor] = {}  # (B, …) each
        self._taken: dict[str, int] = {}
        self._along: dict[str, int] = {}  # the dimension of the tokens, of those that are appended

    def begin(self, tokens: int) -> None:
        """A step with so many new tokens, which counts its applications from 0."""
        self.length += tokens
        self._taken = {}

    def stream(self, kind: str) -> str:
        """The next name of its kind in this step."""
        place = self._taken.get(kind, 0)
        self._taken[kind] = place + 1
        return f"{kind}{place}"

    def get(self, name: str) -> Tensor | None:
        return self._tensors.get(name)

    def put(self, name: str, tensor: Tensor) -> None:
        self._tensors[name] = tensor

    def append(self, name: str, new: Tensor, dim: int = -2) -> Tensor:
        """All of it so far."""
        before = self._tensors.get(name)
        self._along[name] = dim
        self._tensors[name] = new if before is None else torch.cat([before, new], dim)
        return self._tensors[name]

    def mask(self, keep: Tensor | None, like: Tensor) -> Tensor | None:  # (B, n) -> (B, length)
        """Which of all tokens so far are real; None while no mask has been given."""
        before, new = self._tensors.get("keep"), like.shape[2]
        if keep is None and before is None:
            return None
        all_real = torch.ones(like.shape[0], self.length, dtype=torch.bool, device=like.device)
        if before is None:
            self._tensors["keep"], self._along["keep"] = all_real[:, : self.length - new], -1
        return self.append("keep", all_real[:, :new] if keep is None else keep, -1)

    def select(self, examples: Tensor) -> None:  # (b,) long
        """Keeps these examples of the batch, in this order: the beams of a search."""
        for name, tensor in self._tensors.items():
            self._tensors[name] = tensor.index_select(0, examples)

    def repeat(self, times: int) -> None:
        """Each example of the batch so many times in a row."""
        for name, tensor in self._tensors.items():
            self._tensors[name] = tensor.repeat_interleave(times, 0)

    @property
    def croppable(self) -> bool:
        """Whether it holds tensors of tokens alone, and no sums over them."""
        return self._along.keys() == self._tensors.keys()

    def crop(self, tokens: int) -> None:
        """Forgets the last of them. Raises UnsupportedError where it holds sums over tokens."""
        if not self.croppable:
            raise UnsupportedError("this cache holds sums over tokens, which cannot be taken back")
        self.length -= tokens
        for name, dim in self._along.items():
            kept = self._tensors[name].shape[dim] - tokens
            self._tensors[name] = self._tensors[name].narrow(dim, 0, kept)
