"""What the public code behind published figures computes, from its equations, in plain torch.

Each takes our attention, for its weights and draws, and q, k (1, H, N, D) without padding, and
gives that code's matrix (1, H, N, N) but for an ε. Keywords are the options of its configuration.
"""

import math
from functools import partial

import torch

from attention_zoo.operators import toeplitz


def rows(weights):
    return weights / weights.sum(-1, keepdim=True)


def softmax(attention, q, k):
    """Google's, Nyströmformer's, Skyformer's."""
    return rows((q @ k.mT / math.sqrt(q.shape[-1])).exp())


def linear(attention, q, k):
    """Google's linear_attention; + 1e-6 in the denominator there."""
    q, k = (torch.nn.functional.elu(x) + 1 for x in (q, k))
    return rows(q @ k.mT)


def kernelized(attention, q, k):
    """Skyformer's SoftmaxAttention_RBF."""
    return gaussian(*(x * x.shape[-1] ** -0.25 for x in (q, k)))


def gaussian(x, y):
    squares = [z.square().sum(-1) / 2 for z in (x, y)]
    return (x @ y.mT - squares[0][..., :, None] - squares[1][..., None, :]).exp()


def linformer(attention, q, k, rank, per_head):
    """Google's has one E for all heads, Nyströmformer's and Skyformer's one for each."""
    E = attention.E.view(q.shape[1] if per_head else 1, rank, q.shape[2])
    return ((q @ (E @ k).mT) / math.sqrt(q.shape[-1])).softmax(-1) @ E


def performer_pytorch(attention, q, k, features):
    """Nyströmformer's and Skyformer's PerformerAttention and softmax_kernel: D^(−1/4) twice, and a
    stabiliser for each query and for all keys; + 1e-4 in each feature there."""
    D = q.shape[-1]
    q, k = q / D**0.25 * D**-0.25, k / D**0.25 * D**-0.25
    omega = attention.omega.view(features, D)
    query, key = (x @ omega.mT for x in (q, k))
    query = query - q.square().sum(-1, keepdim=True) / 2 - query.amax(-1, keepdim=True)
    key = key - k.square().sum(-1, keepdim=True) / 2 - key.amax()
    return rows(query.exp() @ key.exp().mT)


def performer_jax(attention, q, k, features):
    """Google's make_fast_softmax_attention; + 1e-6 in each feature there."""
    D = q.shape[-1]
    return performer_pytorch(attention, q * D**0.25, k * D**0.25, features)


def generalised(attention, q, k):
    """Google's make_fast_generalized_attention, whose features are deterministic by default."""
    q, k = (x.relu() + 0.001 for x in (q, k))
    return rows(q @ k.mT)


def nystrom(attention, q, k, landmarks, conv):
    """Nyströmformer's and Skyformer's NystromAttention of one head, N a multiple of landmarks."""
    D = q.shape[-1]
    q, k = q / D**0.25, k / D**0.25
    q_landmarks, k_landmarks = (x.unflatten(2, (landmarks, -1)).mean(3) for x in (q, k))
    first = (q @ k_landmarks.mT).softmax(-1)
    second = (q_landmarks @ k_landmarks.mT).softmax(-1)
    third = (q_landmarks @ k.mT).softmax(-1)
    matrix = first @ inverse(second) @ third
    if not conv:
        return matrix
    return matrix + toeplitz(attention.kernel.view(-1, conv), q.shape[2], None)


def inverse(matrix):
    """iterative_inv: six steps from the transpose over the largest column sum of all matrices."""
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    z = matrix.mT / matrix.sum(-2).max()
    for _ in range(6):
        step = matrix @ z
        z = 0.25 * z @ (13 * eye - step @ (15 * eye - step @ (7 * eye - step)))
    return z


def skyformer(attention, q, k, features):
    """Skyformer's of the rows that ours has drawn, each once."""
    N = q.shape[2]
    q, k = q * 32**-0.25, k * 32**-0.25
    places = attention.turn[:, :N].flatten().argsort()[:features]
    lifted = torch.cat([q, k], 2)
    sketch = gaussian(lifted, lifted[:, :, places])
    middle = sketch[:, :, places] + 0.1 * torch.eye(len(places), dtype=q.dtype)
    root = middle.sum(-1).rsqrt()
    core = inverse(root[..., :, None] * middle * root[..., None, :])
    keys = sketch[:, :, N:] * root[..., None, :] @ core * root[..., None, :]
    return sketch[:, :, :N] @ keys.mT


def bigbird(attention, q, k, block, random):
    """Skyformer's copy of transformers' with the random blocks that ours has drawn, N a multiple of
    the block: first and last row of blocks whole; else first, last, three of the window, random."""
    n = q.shape[2] // block
    looks = torch.zeros(q.shape[1], n, n, dtype=torch.bool)
    looks[:, [0, -1]] = looks[:, :, [0, -1]] = True
    for h, draws in enumerate(attention.draws.view(-1, n, random)):
        for i in range(1, n - 1):
            looks[h, i, i - 1 : i + 2] = True
            looks[h, i, list(attention._blocks_of(draws[i].tolist(), i, n - 1))] = True
    looks = looks.repeat_interleave(block, 1).repeat_interleave(block, 2)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(~looks, -torch.inf).softmax(-1)


def yoso(attention, q, k):
    """YOSOEAttention before it normalises the result."""
    q, k = (x / x.norm(dim=-1, keepdim=True) for x in (q, k))
    return (1 - torch.acos(q @ k.mT) / math.pi) ** attention.bits


PER_HEAD = partial(linformer, per_head=True)

# By protocol and model, and by task where that decides.
CODE = {
    "google": {
        "Transformer": softmax,
        "Linear Transformer": linear,
        "Linformer": partial(linformer, rank=16, per_head=False),
        "Performer": generalised,
        "Performer listops": partial(performer_jax, features=2),
    },
    "nystromformer": {
        "Standard": softmax,
        "Transformer": softmax,
        "Linformer": partial(PER_HEAD, rank=256),
        "Performer": partial(performer_pytorch, features=256),
        "Nystromformer": partial(nystrom, landmarks=64, conv=35),
        "YOSO-E": yoso,
    },
    "skyformer": {
        "Self-attention": softmax,
        "Kernelised attention": kernelized,
        "Linformer": partial(PER_HEAD, rank=128),
        "Performer": partial(performer_pytorch, features=128),
        "Nystromformer": partial(nystrom, landmarks=128, conv=0),
        "BigBird": partial(bigbird, block=64, random=3),
        "Skyformer": partial(skyformer, features=128),
    },
    "": {
        "Transformer": softmax,
        "Transformer, re-run": softmax,
        "FlashAttention": softmax,
        "Linformer-256": partial(PER_HEAD, rank=256),
    },
}


def google_reformer(attention, q, k):
    """lsh_attention_single_head: 10 chunks of the order by (bucket, position), each with the one
    before, the first with the last; logits √D q·q."""
    matrix = torch.zeros_like(q @ q.mT)
    for h, x in enumerate(q[0]):
        rotated = x @ attention.rotations[h, 0, :, :5].to(x.dtype)
        order = torch.cat([rotated, -rotated], -1).argmax(-1).argsort(stable=True)
        chunks = order.view(10, -1)
        for c, own in enumerate(chunks):
            seen = torch.cat([own, chunks[c - 1]])
            scores = x[own] @ x[seen].mT * math.sqrt(q.shape[-1])
            matrix[0, h, own[:, None], seen] = scores.softmax(-1)
    return matrix


def google_local(attention, q, k):
    """LocalAttention: N // b + 1 blocks by a reshape to (b, blocks), and zero keys in the last rows
    of each, which its padded mask lets count."""
    N, b = q.shape[2], attention.block
    blocks = N // b + 1
    place = torch.arange(blocks * b)
    looks = place[:N, None] % blocks == place % blocks
    keys = torch.nn.functional.pad(k, (0, 0, 0, blocks * b - N))
    scores = (q @ keys.mT / math.sqrt(q.shape[-1])).masked_fill(~looks, -torch.inf)
    return scores.softmax(-1)[..., :N]


def google_longformer(attention, q, k):
    """_build_sliding_window_mask of an even window: w/2 − 1 to the left, w/2 to the right."""
    i = torch.arange(q.shape[2])
    ahead = i - i[:, None]
    looks = (ahead > -attention.reach) & (ahead <= attention.reach)
    return (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~looks, -torch.inf).softmax(-1)


def google_synthesizer(attention, q, k):
    """synthetic_attention with R, here of low rank, beside the scores of softmax attention."""
    R = (attention.R1 @ attention.R2.mT)[:, : q.shape[2], : q.shape[2]]
    return (q @ k.mT / math.sqrt(q.shape[-1]) + R).softmax(-1)


def google_sinkhorn(attention, q, k):
    """SinkhornAttention by its default sort_activation: the softmax over the blocks that keys are
    sorted to sums to 1, so that each block sees the sum of all blocks beside itself."""
    N, b, D = q.shape[2], attention.block, q.shape[-1]
    i = torch.arange(N)
    same = i % (N // b) == i[:, None] % (N // b)
    local = (q @ k.mT / math.sqrt(D)).masked_fill(~same, -torch.inf).softmax(-1)
    slot = torch.nn.functional.one_hot(i // (N // b)).to(q.dtype).mT  # (b, N)
    return local + (q @ (slot @ k).mT / math.sqrt(D)).softmax(-1) @ slot


def flowformer_jax(attention, q, k):
    """flow_attention of the released LRA code, whose softmax runs over the heads."""
    q, k, N = q.relu() + 1e-6, k.relu() + 1e-6, q.shape[2]
    flow = q @ k.mT
    incoming, outgoing = flow.sum(-1, keepdim=True), flow.sum(-2, keepdim=True)
    conserved_in = (flow / outgoing).sum(-1, keepdim=True)
    conserved_out = (flow / incoming).sum(-2, keepdim=True)
    return conserved_in.sigmoid() * flow / incoming * conserved_out.softmax(1) * N


# What rows of these attentions computed, at the nearest options of ours.
OTHER = {
    "reformer:chunk=4,hashes=1": google_reformer,
    "local:block=8": google_local,
    "longformer:globals=0,window=8": google_longformer,
    "synthesizer": google_synthesizer,
    "sinkhorn:block=8": google_sinkhorn,
    "flowformer:feature_map=relu": flowformer_jax,
}
