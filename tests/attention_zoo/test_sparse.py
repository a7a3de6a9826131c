"""What the attentions over few columns promise beyond the contract."""

import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from attention_zoo import UsageError, build_attention
from attention_zoo.operators import gather_blocks

H, D = 2, 4


def build(spec, N=64, dtype=torch.float64):
    return build_attention(spec, heads=H, head_dim=D, max_len=N).to(dtype)


def qkv(N, B=2, dtype=torch.float64):
    return torch.randn(3, B, H, N, D, dtype=dtype).unbind()


def by_hand(q, k, keep, looks):
    """Row by row, over the real tokens of the set looks(e, h, i)."""
    B, _, N, _ = q.shape
    matrix = torch.zeros(B, H, N, N, dtype=q.dtype)
    for e in range(B):
        for h in range(H):
            for i in range(N):
                columns = sorted(j for j in looks(e, h, i) if 0 <= j < N and keep[e, j])
                scores = k[e, h, columns] @ q[e, h, i] / math.sqrt(D)
                matrix[e, h, i, columns] = scores.softmax(0)
    return matrix


def held_to(spec, N, keep, looks):
    q, k, _ = qkv(N, len(keep))
    q, k = (torch.where(keep[:, None, :, None], x, 0.0) for x in (q, k))
    rows = keep[:, None, :, None]
    matrix = build(spec)(q, k, keep).dense()
    assert_close(matrix * rows, by_hand(q, k, keep, looks) * rows)


masks = st.integers(1, 40).flatmap(
    lambda N: st.lists(st.booleans(), min_size=N, max_size=N).map(lambda row: torch.tensor([row]))
)
few = settings(max_examples=15)


@few
@given(keep=masks, block=st.integers(1, 12), neighbours=st.integers(0, 2))
def test_local_looks_at_its_block_and_the_neighbours(keep, block, neighbours):
    def looks(e, h, i):
        first = i // block * block
        return range(first - neighbours * block, first + (neighbours + 1) * block)

    held_to(f"local:block={block},neighbours={neighbours}", keep.shape[1], keep, looks)


@few
@given(keep=masks, reach=st.integers(1, 20), tokens=st.integers(0, 5))
def test_longformer_looks_at_each_token_of_its_window_and_at_the_first_ones(keep, reach, tokens):
    N = keep.shape[1]

    def looks(e, h, i):
        return range(N) if i < tokens else {*range(tokens), *range(i - reach, i + reach + 1)}

    held_to(f"longformer:window={2 * reach},globals={tokens}", N, keep, looks)


@few
@given(keep=masks, stride=st.integers(1, 12))
def test_sparse_looks_at_its_window_and_its_stride(keep, stride):
    N = keep.shape[1]

    def looks(e, h, i):
        return {*range(i - stride + 1, i + stride), *range(i % stride, N, stride)}

    held_to(f"sparse:stride={stride}", N, keep, looks)


@few
@given(keep=masks, block=st.integers(1, 8), random=st.integers(0, 3))
def test_bigbird_looks_at_window_global_and_random_blocks(keep, block, random):
    N = keep.shape[1]
    spec = f"bigbird:block={block},random={random}"
    last = max([0, *keep[0].nonzero().flatten().tolist()]) // block
    drawn = random_blocks(build(spec), last)

    def looks(e, h, i):
        i = i // block
        blocks = {0, i - 1, i, i + 1, last, *drawn[h][i]} if i < last else range(last + 1)
        blocks = range(last + 1) if i == 0 else blocks
        return {b * block + t for b in blocks for t in range(block)}

    held_to(spec, N, keep, looks)


def random_blocks(bigbird, last):
    """[head][block] -> the random blocks."""
    if not bigbird.draws.shape[-1]:
        return [[[]] * (last + 1)] * H
    index = bigbird._random_blocks(torch.arange(last + 1), torch.tensor([[last]]))[0]
    return [[[j for j in row if j >= 0] for row in head] for head in index.tolist()]


@pytest.mark.parametrize(
    "spec",
    [
        "local:block=20",
        "local:block=4,neighbours=5",
        "longformer:window=40",
        "longformer:window=2,globals=20",
        "sparse:stride=1",
        "sparse:stride=20",
        "bigbird:block=7",
        "bigbird:block=2,random=10",
    ],
)
def test_with_enough_columns_it_is_softmax(spec):
    q, k, v = qkv(20)
    keep = torch.rand(2, 20) < 0.7
    exact = build("softmax")(q, k, keep) @ v
    assert_close(
        (build(spec)(q, k, keep) @ v)[keep[:, None].expand(2, H, 20)],
        exact[keep[:, None].expand(2, H, 20)],
    )


def test_weights_on_hand_made_numbers():
    """q = 0: every row is the mean over what it looks at."""
    zero = torch.zeros(1, H, 7, D, dtype=torch.float64)

    def counted(spec):
        matrix = build(spec, 7)(zero, zero).dense()[0, 0]
        assert_close(matrix.sum(-1), torch.ones(7, dtype=torch.float64))
        return [[j for j, weight in enumerate(row) if weight] for row in matrix.tolist()]

    assert counted("local:block=3") == [[0, 1, 2]] * 3 + [[3, 4, 5]] * 3 + [[6]]
    assert counted("longformer:window=2")[3:5] == [[0, 2, 3, 4], [0, 3, 4, 5]]
    assert counted("longformer:window=2")[0] == list(range(7))
    assert counted("sparse:stride=3")[0] == [0, 1, 2, 3, 6]
    assert counted("sparse") == counted("sparse:stride=3")  # ⌈√7⌉
    assert counted("bigbird:block=1,random=0")[3] == [0, 2, 3, 4, 6]
    assert counted("bigbird:block=1,random=0")[6] == list(range(7))


@given(last=st.integers(0, 15), random=st.integers(1, 6), seed=st.integers(0, 999))
def test_random_blocks_are_different_free_blocks(last, random, seed):
    bigbird = build(f"bigbird:block=1,random={random}")
    bigbird.resample(torch.Generator().manual_seed(seed))
    for head in random_blocks(bigbird, last):
        for i, drawn in enumerate(head[1:-1], start=1):
            free = set(range(last + 1)) - {0, i - 1, i, i + 1, last}
            assert set(drawn) <= free
            assert len(drawn) == len(set(drawn)) == min(random, len(free))


def test_random_blocks_are_uniform_over_the_free_ones():
    bigbird = build_attention("bigbird:block=1,random=2", heads=6000, head_dim=1, max_len=10)
    drawn = bigbird._random_blocks(torch.arange(10), torch.tensor([[9]]))[0, :, 4]  # (H, r)
    share = torch.bincount(drawn.flatten(), minlength=10) / 6000
    expected = torch.tensor([0, 1, 1, 0, 0, 0, 1, 1, 1, 0]) * 2 / 5
    assert_close(share, expected, atol=0.03, rtol=0)
    pairs = {tuple(sorted(pair)) for pair in drawn.tolist()}
    assert len(pairs) == 10


def test_random_blocks_come_from_the_generator_alone_whatever_the_dtype():
    bigbird = build("bigbird:block=2", dtype=torch.bfloat16)
    first = bigbird.draws.clone()
    assert torch.equal(first, build("bigbird:block=2").draws)
    assert not torch.equal(first[0], first[1])  # of each head its own
    bigbird.resample(torch.Generator().manual_seed(1))
    assert not torch.equal(first, bigbird.draws)
    bigbird.resample(torch.Generator().manual_seed(0))
    assert torch.equal(first, bigbird.draws)


@pytest.mark.parametrize(
    ("spec", "columns"),
    [
        ("local", 50),
        ("longformer", 32 + 64 + 1 + 1),
        ("bigbird", 8 * 64 + 2 * 64),
        ("sparse", 3 * 16 + 16),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_backward_pass_keeps_the_weights_once_and_nothing_else_as_large(spec, columns, dtype):
    N, kept = 256, {}
    q, k, v = (x.to(dtype).requires_grad_() for x in qkv(N))

    def keep_track(x):
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep_track, lambda x: x):
        operator = build(spec, N, dtype)(q, k)
        for _ in range(3):
            v = operator @ v
    weights = 2 * H * (N + 50) * columns * q.element_size()
    small = 12 * 4 * q.numel()  # q, k, v in float32 and indices
    rows = 2 * H * N * 128 * 4 if spec == "bigbird" else 0  # full rows in float32 as well
    assert sum(kept.values()) < weights + small + rows


@pytest.mark.parametrize(
    "spec",
    [
        "local:block=0",
        "local:neighbours=-1",
        "longformer:window=3",
        "longformer:window=0",
        "longformer:globals=-1",
        "sparse:stride=-1",
        "bigbird:block=0",
        "bigbird:random=-1",
    ],
)
def test_options_that_mean_nothing_are_refused(spec):
    with pytest.raises(UsageError, match=spec.split(":")[0]):
        build(spec)


@pytest.mark.parametrize("each", [False, True], ids=["one index", "an index each"])
def test_gathered_blocks_and_their_gradient(each):
    x = torch.randn(2, H, 5, 3, D, dtype=torch.float64, requires_grad=True)
    index = torch.randint(5, (2, H, 4, 2) if each else (4, 2))
    gathered = gather_blocks(x, index)
    for e, h, i in ((0, 0, 0), (1, 1, 3), (0, 1, 2)):
        first, second = index[e, h, i] if each else index[i]
        assert torch.equal(gathered[e, h, i], torch.cat([x[e, h, first], x[e, h, second]]))
    assert torch.autograd.gradcheck(lambda x: gather_blocks(x, index), x)


def projected(theirs, x, names):
    return [getattr(theirs, name)(x).unflatten(-1, (H, D)).transpose(1, 2) for name in names]


@pytest.mark.parity
@pytest.mark.parametrize("tokens", [0, 1, 3])
def test_longformer_is_that_of_transformers(tokens):
    """Their global projections set to the local ones, as the LRA runs of MRA attention do; their
    softmax is float32 whatever the input; a position that is padded is not made global."""
    modeling = importlib.import_module("transformers.models.longformer.modeling_longformer")
    config = modeling.LongformerConfig(
        hidden_size=H * D, num_attention_heads=H, attention_window=[8]
    )
    theirs = modeling.LongformerSelfAttention(config, 0).double().eval()
    for name in ("query", "key", "value"):
        getattr(theirs, f"{name}_global").load_state_dict(getattr(theirs, name).state_dict())
    x = 3 * torch.randn(3, 40, H * D, dtype=torch.float64)
    keep = torch.arange(40) < torch.tensor([40, 29, 11])[:, None]
    keep[1, 7:9] = keep[2, 1] = False
    mask = torch.where(keep, 0.0, -10000.0)
    mask[:, :tokens] = torch.where(keep, 10000.0, mask)[:, :tokens]
    expected = theirs(
        x.clone(),
        attention_mask=mask,
        is_index_masked=mask < 0,
        is_index_global_attn=mask > 0,
        is_global_attn=tokens > 0,
    )[0]
    q, k, v = projected(theirs, x, ("query", "key", "value"))
    ours = build(f"longformer:window=8,globals={tokens}")(q, k, keep) @ v
    assert_close(ours.transpose(1, 2).flatten(2)[keep], expected[keep], rtol=1e-5, atol=1e-6)


@pytest.mark.parity
@pytest.mark.parametrize("random", [1, 3])
def test_bigbird_is_that_of_transformers(random, monkeypatch):
    """With our random blocks in the place of theirs, and padding within the last block and in
    between alone: theirs is that of the batch, ours that of the example."""
    modeling = importlib.import_module("transformers.models.big_bird.modeling_big_bird")
    b, n = 4, 12
    ours = build(f"bigbird:block={b},random={random}")
    config = modeling.BigBirdConfig(
        hidden_size=H * D, num_attention_heads=H, block_size=b, num_random_blocks=random
    )
    theirs = modeling.BigBirdBlockSparseAttention(config).double().eval()
    drawn = [head[1:-1] for head in random_blocks(ours, n - 1)]
    monkeypatch.setattr(theirs, "_bigbird_block_rand_mask_with_head", lambda **given: drawn)
    x = 3 * torch.randn(3, n * b, H * D, dtype=torch.float64)
    keep = torch.arange(n * b) < torch.tensor([n * b, n * b - 3, n * b - 1])[:, None]
    keep[2, 5:23] = False
    blocked, band, from_mask, to_mask = modeling.BigBirdModel.create_masks_for_block_sparse_attn(
        keep.double(), b
    )
    expected = theirs(x, band, from_mask, to_mask, blocked, blocked)[0]
    q, k, v = projected(theirs, x, ("query", "key", "value"))
    y = (ours(q, k, keep) @ v).transpose(1, 2).flatten(2)
    assert_close(y[keep], expected[keep])
