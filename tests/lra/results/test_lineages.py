"""A published row has a spec only where its code and ours compute the same matrix."""

import pytest
import torch
from torch.testing import assert_close

from attention_zoo import build_attention
from lra.protocols import get_protocol, override
from lra.results.published import read_published

from .lineages import CODE, OTHER

ROWS = read_published()


def code(row):
    found = CODE[row.protocol]
    return found.get(f"{row.model} {row.task}") or found[row.model]


CLAIMS = {(row.spec, code(row)): row for row in ROWS if row.spec}
D = 32  # of both small protocols
LENGTHS = {"nystrom": 256, "bigbird": 768, "skyformer": 128}


def made(spec, N, heads=2):
    torch.manual_seed(0)
    attention = build_attention(spec, heads=heads, head_dim=D, max_len=N).double()
    return attention, *torch.randn(2, 1, heads, N, D, dtype=torch.float64)


@pytest.mark.parametrize("row", CLAIMS.values(), ids=lambda row: f"{row.protocol}-{row.spec}")
def test_the_spec_of_a_row_computes_what_its_code_does(row):
    name = row.spec.partition(":")[0]
    # The start of the public iteration is shared by the heads: one head has none to share it with.
    attention, q, k = made(row.spec, LENGTHS.get(name, 40), heads=1 if name == "nystrom" else 2)
    assert_close(attention(q, k).dense(), code(row)(attention, q, k), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("spec", OTHER)
def test_rows_without_a_spec_compute_something_else(spec):
    attention, q, k = made(spec, 40)
    ours, theirs = attention(q, k).dense(), OTHER[spec](attention, q, k)
    assert (ours - theirs).abs().max() > 0.01
    name = spec.partition(":")[0]
    assert any(row.nearest == name for row in ROWS)
    assert not any(row.spec.partition(":")[0] == name for row in ROWS)


def test_skyformers_and_nystromformers_performers_are_not_the_papers():
    attention, q, k = made("performer", 40)
    theirs = CODE["nystromformer"]["Performer"](attention, q, k)
    assert (attention(q, k).dense() - theirs).abs().max() > 0.1
    assert {row.spec for row in ROWS if row.model == "Performer" and row.protocol != "google"} == {
        *("", "performer:logit_scale=1/D"),
        "performer:features=128,logit_scale=1/D",
    }


@pytest.mark.parametrize("width", [16, 64])
def test_the_lineages_logit_scale_follows_the_width_of_a_head(width):
    attention = build_attention("performer:logit_scale=1/D", heads=2, head_dim=width, max_len=40)
    q, k = torch.randn(2, 1, 2, 40, width, dtype=torch.float64)
    theirs = CODE["nystromformer"]["Performer"](attention.double(), q, k)
    assert_close(attention(q, k).dense(), theirs, atol=1e-9, rtol=1e-6)


def test_yosos_bits_are_those_of_its_configurations():
    bits = {"listops": 11, "text": 12, "retrieval": 12, "image": 10, "pathfinder": 10}
    found = {}
    for row in ROWS:
        if row.spec.startswith("yoso"):
            protocol = override(get_protocol(row.protocol, row.task), row.settings.split())[0]
            found[row.task] = made(row.spec, protocol.task.max_len)[0].bits
    assert found == bits
