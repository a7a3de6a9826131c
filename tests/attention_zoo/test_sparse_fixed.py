"""The fixed pattern of sparse attention."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from .test_sparse import D, H, build, few, held_to, masks


@few
@given(keep=masks, stride=st.integers(1, 12), c=st.integers(0, 13))
def test_sparse_fixed_looks_at_its_block_and_the_last_tokens_of_each(keep, stride, c):
    N = keep.shape[1]

    def looks(e, h, i):
        ends = {j for j in range(N) if j % stride == 0 or j % stride >= stride - c}
        return ends | {j for j in range(N) if j // stride == i // stride}

    held_to(f"sparse:pattern=fixed,stride={stride},c={c}", N, keep, looks)


def test_sparse_fixed_drawn_out():
    drawn = """
    xxxx xx
    xxxx xx
    xxxx xx
    x xxxxx
    x xxxxx
    x xxxxx
    x xx xx
    """
    q = torch.zeros(1, H, 7, D)
    matrix = build("sparse:pattern=fixed,stride=3,c=1", N=7, dtype=torch.float32)(q, q).dense()
    rows = ["".join("x" if entry else " " for entry in row) for row in matrix[0, 0]]
    assert rows == [line[4:] for line in drawn.splitlines()[1:-1]]
