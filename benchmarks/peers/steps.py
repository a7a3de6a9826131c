"""The same training step of two models on the same ListOps batches, timed in turns."""

import argparse
import itertools
import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim import AdamW

from attention_zoo import UsageError
from benchmarks.timing import HEAD, compare, machine
from lra.choices import PRECISIONS
from lra.config import DTYPES
from lra.data.batches import Padding, collate
from lra.measure.variant import repeated_course
from lra.model import build_model
from lra.protocols import get_protocol, override
from lra.protocols.attentions import spec_under
from lra.system.allocator import keep_freed_memory
from lra.system.environment import environment
from lra.tasks.listops.generate import Shape, distinct_expressions
from lra.training.optimizer import Scaled, make_optimizer
from lra.training.step import autocast, train_step

SEED = 0


def draw(protocol, count, padded=None):
    """`count` batches of expressions of the task's generator, filled up to the batch's longest, or
    all to `padded` tokens."""
    task, B = protocol.task, protocol.training.batch
    shape = Shape(task.min_length, task.max_length, task.max_depth, task.max_args)
    pairs = distinct_expressions(count * B, SEED, shape, workers=1)
    examples = [([np.frombuffer(tokens, np.uint8)], value) for tokens, value in pairs]
    batches = []
    for start in range(0, count * B, B):
        tokens, keep, labels = collate(examples[start : start + B], Padding(task.max_len))
        more = 0 if padded is None else padded - tokens.shape[1]
        if more < 0:
            raise UsageError(f"--padded {padded}: a batch has {tokens.shape[1]} tokens")
        batches.append((F.pad(tokens, (0, more)), F.pad(keep, (0, more)), labels))
    return batches


def real_share(batches):
    """Of the tokens of padded batches."""
    return sum(int(keep.sum()) for _, keep, _ in batches) / sum(b[1].numel() for b in batches)


def step_of(model, optimizer, batches, protocol, device, precision):
    """A call is one training step of `model`, on one batch after another."""
    scaled = Scaled(optimizer, protocol.training, device.type, enabled=precision == "16-mixed")
    course = zip(
        repeated_course(optimizer, protocol.training), itertools.cycle(batches), strict=False
    )
    model.train()

    def step():
        (number, scheduler), batch = next(course)
        with autocast(device, DTYPES[precision]):
            train_step(model, batch, scaled, scheduler, scaled.backward, seed=SEED, step=number)

    return step


def ours(attention, protocol, device, keep_pads=False):
    """The model of this project and its optimiser."""
    model = build_model(spec_under(attention, protocol), protocol, "listops", SEED).to(device)
    model.keep_pads = keep_pads
    return model, make_optimizer(model, protocol.training)


def theirs(model, protocol, device):
    """A peer's model with plain AdamW, as their training has it."""
    settings = protocol.training
    betas = settings.beta1, settings.beta2
    decay, rate = settings.weight_decay, settings.learning_rate
    model = model.to(device)
    return model, AdamW(model.parameters(), rate, betas, settings.epsilon, decay)


def beside(name, attention, other, batches, protocol, options, least=None):
    """The step of another (model, optimiser) over that of our `attention`."""
    device = torch.device(options.device)
    pairs = [other, *(ours(attention, protocol, device) for _ in range(2))]
    steps = [step_of(*pair, batches, protocol, device, options.precision) for pair in pairs]
    return compare(name, f"{attention}, ours", steps, options.repetitions, least=least)


def parser_of(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--attn", nargs="+", metavar="NAME", help="all where not given")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=8, help="so many different ones, in turn")
    parser.add_argument("--repetitions", type=int, default=16, help="steps of each that are timed")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="32-true")
    parser.add_argument("--set", nargs="+", default=[], help="section.key=value of the protocol")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    return parser


def setting(options, name="nystromformer", padded=None):
    """The protocol and the batches that the options ask for; says what they are."""
    if min(options.batches, options.repetitions) < 1:
        raise UsageError("--batches and --repetitions must be positive integers")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch sees no CUDA device")
    keep_freed_memory()
    protocol = get_protocol(name, "listops")
    protocol, _ = override(protocol, [f"training.batch={options.batch}", *options.set])
    batches = draw(protocol, options.batches, padded)
    longest = max(tokens.shape[1] for tokens, _, _ in batches)
    print(machine(options.device))
    print(
        f"training step, ListOps, {name}, {options.batch} × up to {longest:,} tokens, "
        f"{100 * real_share(batches):.0f} % of them real, {options.precision}, in turns"
    )
    return protocol, [tuple(x.to(options.device) for x in batch) for batch in batches]


def command(module, **spelled):
    """How this process was called; `spelled`: words in it that stand for others."""
    words = [spelled.get(word, word) for word in sys.argv[1:]]
    return shlex.join(["python", "-m", module, *words])


def report(rows, options, batches, command, **about):
    """Prints rows as they come; with --out writes them, whole, after each."""
    about = {
        "command": command,
        **about,
        "environment": asdict(environment(torch.device(options.device))),
        "load_before": os.getloadavg(),
        "precision": options.precision,
        "batch": options.batch,
        "lengths": [tokens.shape[1] for tokens, _, _ in batches],
        "real_share": real_share(batches),
    }
    print(HEAD, flush=True)
    done = []
    for row in rows:
        print(row, flush=True)
        done.append(asdict(row))
        if options.out:
            content = json.dumps(about | {"rows": done}, ensure_ascii=False, indent=1)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(content + "\n")


def guarded(main):
    """Bad input ends with one line and status 2."""
    try:
        main()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
