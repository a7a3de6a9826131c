"""Every ratio that this project claims, with its goal: `python -m benchmarks`.

gfsa: what GFSA costs, of layers and of training steps. filters: what every filter and remedy adds
to a layer. mask: a layer with a mask where nothing is padded. packed: a training step that works on
padding, too, over one that does not, for every attention. peers: that of others over ours. --attn
narrows packed and peers.
"""

import argparse
import itertools

import torch

import attention_zoo
from attention_zoo.spec import attention_of
from benchmarks import filters, gfsa_cost
from benchmarks.peers import __main__ as peers
from benchmarks.peers.model import PEERS
from benchmarks.peers.steps import beside, command, guarded, ours, parser_of, report, setting

PARTS = ("gfsa", "filters", "mask", "packed", "peers")
# What a prototype of the packed model reached.
PACKED = {"linear": 1.97, "linear+gfsa": 1.91, "sdpa": 2.08, "nystrom": 1.6, "performer": 2.5}


def attentions(device):
    """All that run on a device, and the filter on one of them."""
    for name in attention_zoo.names():
        if device in attention_of(attention_zoo.parse_spec(name)).support.devices:
            yield from (name, f"{name}+gfsa") if name == "linear" else (name,)


def gfsa(options):
    return itertools.chain(gfsa_cost.layers(options), gfsa_cost.training_steps(options))


def added(options):
    lengths = options.lengths[1::2] or options.lengths
    chosen = {"attn": filters.ATTENTIONS, "filters": None, "lengths": lengths}
    return filters.rows(argparse.Namespace(**vars(options) | chosen))


def packed(names, batches, protocol, options):
    """The step of our model on padded batches over that on packed ones."""
    for name in names:
        padded = ours(name, protocol, torch.device(options.device), keep_pads=True)
        yield beside(f"{name}, padded", name, padded, batches, protocol, options, PACKED.get(name))


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--lengths", type=int, nargs="+", default=gfsa_cost.LENGTHS)
    options = parser.parse_args()
    protocol, batches = setting(options)
    names = [
        name for name in PEERS if not options.attn or peers.OURS.get(name, name) in options.attn
    ]
    layers = argparse.Namespace(**vars(options) | {"batch": gfsa_cost.BATCH})
    rows = {
        "gfsa": gfsa(layers),
        "filters": added(layers),
        "mask": gfsa_cost.masks(layers),
        "packed": packed(options.attn or attentions(options.device), batches, protocol, options),
        "peers": peers.rows(names, batches, protocol, options),
    }
    chosen = itertools.chain.from_iterable(rows[part] for part in options.part)
    report(chosen, options, batches, command("benchmarks"))


if __name__ == "__main__":
    guarded(main)
