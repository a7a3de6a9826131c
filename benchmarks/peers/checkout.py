"""Our training step beside that of a checkout of other people's code, on the same batches:
`python -m benchmarks.peers.checkout PATH`. PATH is a clone of mlpen/Nystromformer,
pkuzengqi/Skyformer or idiap/fast-transformers."""

import importlib
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from attention_zoo import UsageError
from attention_zoo.errors import unknown
from benchmarks.peers.__main__ import GOALS
from benchmarks.peers.model import Frame
from benchmarks.peers.steps import beside, command, guarded, parser_of, report, setting, theirs
from lra.tasks import get_task

FULL = 2048  # to which run_tasks.py and main.py pad every sequence of ListOps


@dataclass(frozen=True)
class Peer:
    """A repository. mark: a file that tells it. root: what its modules are imported from, beside
    the mark. attentions: by its names, what each is here. build: (attention, protocol, device) ->
    model. protocol: which of ours it ran. padded: all its batches are, to this length."""

    mark: str
    root: str
    attentions: dict[str, str]
    build: Callable
    protocol: str = "nystromformer"
    padded: int | None = None


class Logits(nn.Module):
    """The class logits of their ModelForSC, whose forward pass also computes the loss."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, tokens, keep):
        return self.model.seq_classifer(self.model.model(tokens, keep.float()))


def classifier(wrapper, listops, attention, device):
    """Their ModelForSC in float32, without dropout of softmax's matrix (ours has none either) and
    without its gradient checkpointing, which makes softmax alone slower."""
    changes = {"attn_type": attention, "max_seq_len": FULL, "seq_len": FULL, "device": device}
    changes |= {"mixed_precision": False, "attention_dropout": 0.0}
    options = listops["extra_attn_config"][attention]
    model = wrapper.ModelForSC(listops["model"] | options | changes)
    for module in model.modules():
        if hasattr(module, "grad_checkpointing"):
            module.grad_checkpointing = False
    return Logits(model)


def nystromformer(attention, protocol, device):
    wrapper, config = map(importlib.import_module, ("model_wrapper", "lra_config"))
    return classifier(wrapper, config.config["listops"], attention, device)


def skyformer(attention, protocol, device):
    wrapper, config = map(importlib.import_module, ("models.model_LRA", "config"))
    return classifier(wrapper, config.Config["lra-listops"], attention, device)


class FastLayers(nn.Module):
    """Their encoder, which takes lengths for a mask."""

    def __init__(self, encoder, masking):
        super().__init__()
        self.encoder, self.masking = encoder, masking

    def forward(self, x, real):
        lengths = self.masking.LengthMask(real.sum(1).long(), max_len=x.shape[1])
        return self.encoder(x, length_mask=lengths)


def fast_transformers(attention, protocol, device):
    builders, masking = (
        importlib.import_module(f"fast_transformers.{name}") for name in ("builders", "masking")
    )
    settings = protocol.model
    encoder = builders.TransformerEncoderBuilder.from_kwargs(
        attention_type=attention,
        n_layers=settings.layers,
        n_heads=settings.heads,
        feed_forward_dimensions=settings.ffn,
        query_dimensions=settings.dim // settings.heads,
        value_dimensions=settings.dim // settings.heads,
        activation="gelu",
        dropout=settings.dropout,
        attention_dropout=0.0,
    ).get()
    return Frame(FastLayers(encoder, masking), settings, get_task("listops").metadata.classes)


PEERS = {
    "Nystromformer": Peer(
        mark="LRA/code/model_wrapper.py",
        root="LRA/code",
        attentions={
            "linear": "linear",
            "performer-256": "performer",
            "nystrom-64": "nystrom",
            "linformer-256": "linformer",
            "softmax": "sdpa",
        },
        build=nystromformer,
        padded=FULL,
    ),
    "Skyformer": Peer(
        mark="src/models/model_LRA.py",
        root="src",
        attentions={
            "performer": "performer",
            "nystrom": "nystrom",
            "linformer": "linformer",
            "skyformer": "skyformer",
            "kernelized": "kernelized",
            "softmax": "sdpa",
        },
        build=skyformer,
        protocol="skyformer",
        padded=FULL,
    ),
    "fast-transformers": Peer(
        mark="fast_transformers/transformers.py",
        root=".",
        attentions={"linear": "linear", "full": "sdpa"},
        build=fast_transformers,
    ),
}


def recognise(path):
    """The name of the repository that `path` is a checkout of."""
    for name, peer in PEERS.items():
        if (path / peer.mark).is_file():
            return name
    marks = ", ".join(f"{name} ({peer.mark})" for name, peer in PEERS.items())
    raise UsageError(f"{path} is none of {marks}")


def build(name, attention, protocol, device):
    """A model of that repository, which is on sys.path."""
    try:
        return PEERS[name].build(attention, protocol, device)
    except ImportError as error:
        missing = error.name or str(error)
        if missing.startswith("fast_transformers."):
            how = "compile it: python setup.py build_ext --inplace, in the checkout"
        else:
            how = f"install {missing.partition('.')[0]}, or leave {attention} out of --attn"
        raise UsageError(f"{name}, {attention}: there is no module {missing}; {how}") from None


def commit_of(path):
    """The checkout's commit, None where it is not a clone."""
    command = ["git", "-C", str(path), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def main():
    parser = parser_of(__doc__)
    parser.add_argument("path", type=Path, help="the checkout")
    parser.add_argument(
        "--padded", type=int, metavar="N", help="pad every batch to N tokens, not as that code does"
    )
    options = parser.parse_args()
    name = recognise(options.path)
    peer = PEERS[name]
    for attention in options.attn or ():
        if attention not in peer.attentions:
            raise unknown(f"attention of {name}", attention, peer.attentions)
    sys.path.insert(0, str((options.path / peer.root).resolve()))
    warnings.simplefilter("ignore")  # theirs, which is written for an older torch
    protocol, batches = setting(options, peer.protocol, options.padded or peer.padded)
    models = {
        attention: build(name, attention, protocol, options.device)
        for attention in options.attn or peer.attentions
    }
    rows = (
        beside(
            f"{attention}, {name}",
            peer.attentions[attention],
            theirs(model, protocol, options.device),
            batches,
            protocol,
            options,
            GOALS.get(attention.partition("-")[0]) if name == "Nystromformer" else None,
        )
        for attention, model in models.items()
    )
    called = command("benchmarks.peers.checkout", **{str(options.path): name})
    about = {"peer": name, "peer_commit": commit_of(options.path)}
    report(rows, options, batches, called, **about)


if __name__ == "__main__":
    guarded(main)
