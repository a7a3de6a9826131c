"""GFSA in a Graphormer-like encoder of torch's own layers, on graphs that look like molecules.

python examples/graphs.py

The target is the mean distance between heteroatoms, in bonds.
"""

import torch
import torch.nn.functional as F
from common import Example, compare, options
from torch import nn

ATOMS, FARTHEST, C, H = 20, 8, 64, 4  # the most atoms; distances beyond are told apart no further


def graph(generator):
    """Atom types (n,) and distances in bonds (n, n) of a random tree with up to two rings."""
    n = int(torch.randint(8, ATOMS + 1, (), generator=generator))
    bonds = torch.zeros(n, n, dtype=torch.bool)
    for atom in range(1, n):
        free = (bonds[:atom].sum(1) < 3).nonzero().flatten()
        other = free[torch.randint(len(free), (), generator=generator)]
        bonds[atom, other] = bonds[other, atom] = True
    for _ in range(2):
        a, b = torch.randint(n, (2,), generator=generator)
        bonds[a, b] = bonds[b, a] = a != b
    distances = torch.full((n, n), n)
    reached = torch.eye(n, dtype=torch.bool)
    for steps in range(n):
        distances[reached & (distances == n)] = steps
        reached = reached | (reached.float() @ bonds.float() > 0)
    types = torch.randint(4, (n,), generator=generator)
    types[:2] = 3  # of which there are always two
    return types, distances


def collate(count, generator):
    """Types (B, ATOMS), 4 at padding; distances (B, ATOMS, ATOMS); targets (B,)."""
    types = torch.full((count, ATOMS), 4)
    distances = torch.zeros(count, ATOMS, ATOMS, dtype=torch.long)
    targets = torch.zeros(count)
    for i in range(count):
        of_atoms, between = graph(generator)
        n, hetero = len(of_atoms), of_atoms == 3
        types[i, :n], distances[i, :n, :n] = of_atoms, between.clamp(max=FARTHEST)
        pairs = between[hetero][:, hetero].float()
        targets[i] = pairs.sum() / (hetero.sum() * (hetero.sum() - 1))
    return types, distances, targets


class Graphormer(nn.Module):
    """Attention with a learned bias for each distance and head (Ying et al. 2021, eq. 6)."""

    def __init__(self):
        super().__init__()
        self.types = nn.Embedding(5, C)
        self.bias = nn.Embedding(FARTHEST + 1, H)
        layer = nn.TransformerEncoderLayer(C, H, 2 * C, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4)
        self.out = nn.Linear(C, 1)

    def forward(self, types, distances):
        pads = types == 4
        bias = self.bias(distances).permute(0, 3, 1, 2)  # (B, H, N, N)
        bias = bias.masked_fill(pads[:, None, None], -torch.inf)
        x = self.encoder(self.types(types), mask=bias.flatten(0, 1))
        real = ~pads[..., None]
        return self.out((x * real).sum(1) / real.sum(1)).squeeze(-1)


def main():
    given = options(__doc__, steps=400)
    torch.backends.mha.set_fastpath_enabled(False)  # gives NaN for masks of numbers
    draws = torch.Generator().manual_seed(1)
    train, test = collate(2_000, draws), collate(400, draws)

    def build():
        # Another encoder of nn.TransformerEncoderLayer, or your own with torch's attention
        # function, goes here, with its pretrained weights.
        return Graphormer()

    def batch(generator):
        chosen = torch.randint(2_000, (32,), generator=generator)
        return [part[chosen] for part in train]

    def loss(model, batch):
        return F.l1_loss(model(*batch[:2]), batch[2])

    compare(Example(build, batch, loss, lambda model: loss(model, test).item(), "MAE"), given)


if __name__ == "__main__":
    main()
