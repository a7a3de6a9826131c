"""GFSA in RoBERTa, on Python's own standard library: which package does a piece of code come from?

python examples/source_code.py
"""

import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from common import Example, accuracy, compare, drawn, options
from transformers import RobertaConfig, RobertaForSequenceClassification

PACKAGES = ("asyncio", "email", "importlib", "multiprocessing", "tkinter", "xml", "logging", "http")
LENGTH = 256
CONFIG = RobertaConfig(
    vocab_size=257,
    pad_token_id=0,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=128,
    max_position_embeddings=LENGTH + 1,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    num_labels=len(PACKAGES),
)


def load():
    """Pieces of LENGTH bytes and their labels; the last tenth of each file is for the test."""
    library = Path(sysconfig.get_path("stdlib"))
    found = {"train": [], "test": []}
    for label, package in enumerate(PACKAGES):
        for file in sorted((library / package).rglob("*.py")):
            content = torch.tensor(list(file.read_bytes()), dtype=torch.long) + 1
            pieces = content[: len(content) // LENGTH * LENGTH].view(-1, LENGTH)
            cut = -(-len(pieces) * 9 // 10)
            for name, part in (("train", pieces[:cut]), ("test", pieces[cut:])):
                found[name] += [(piece, label) for piece in part]
    for examples in found.values():
        yield torch.stack([ids for ids, _ in examples]), torch.tensor([n for _, n in examples])


def main():
    given = options(__doc__, steps=1_500)
    (ids, labels), (test, expected) = load()

    def build():
        # Pretrained: RobertaForSequenceClassification.from_pretrained("microsoft/codebert-base",
        #     attention_probs_dropout_prob=0.0, num_labels=len(PACKAGES)), with its tokenizer.
        return RobertaForSequenceClassification(CONFIG)

    def batch(generator):
        chosen = drawn(len(labels), 16, generator)
        return ids[chosen], labels[chosen]

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]).logits, batch[1])

    def score(model):
        return accuracy(torch.cat([model(part).logits for part in test.split(100)]), expected)

    compare(Example(build, batch, loss, score, "accuracy %"), given)


if __name__ == "__main__":
    main()
