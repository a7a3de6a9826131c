"""GFSA in BERT, on reviews of LRA's Text task, byte by byte.

python examples/texts.py [--data-dir DIR]

Without the files of IMDb in DIR it takes the task's sample, written by the project.
"""

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from common import Example, accuracy, compare, drawn, options
from transformers import BertConfig, BertForSequenceClassification

from lra.tasks.text.official import find, read
from lra.tasks.text.sample import write

LENGTH = 256
CONFIG = BertConfig(
    vocab_size=257,
    hidden_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=128,
    max_position_embeddings=LENGTH,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    num_labels=2,
)


def encoded(texts):
    """Bytes of each text and 1, 0 at its padding; and the labels."""
    ids = torch.zeros(len(texts), LENGTH, dtype=torch.long)
    for row, (text, _) in zip(ids, texts, strict=True):
        part = torch.tensor(list(text[:LENGTH])) + 1
        row[: len(part)] = part
    return ids, torch.tensor([label for _, label in texts])


def load(folder):
    with tempfile.TemporaryDirectory() as sample:
        if folder is None:
            folder = Path(sample)
            write(folder, {"train": 8_000, "test": 400}, seed=0)
        texts = read(find(folder))
    return [encoded(texts[name]) for name in ("train", "test")]


def main():
    given = options(__doc__, steps=1_600)
    (ids, labels), (test, expected) = load(given.data_dir)

    def build():
        # Pretrained: BertForSequenceClassification.from_pretrained("bert-base-uncased",
        #     attention_probs_dropout_prob=0.0), with texts through its tokenizer.
        return BertForSequenceClassification(CONFIG)

    def logits(model, ids):
        return model(ids, attention_mask=(ids > 0).long()).logits

    def batch(generator):
        chosen = drawn(len(labels), 16, generator)
        return ids[chosen], labels[chosen]

    def loss(model, batch):
        return F.cross_entropy(logits(model, batch[0]), batch[1])

    def score(model):
        return accuracy(torch.cat([logits(model, part) for part in test.split(100)]), expected)

    compare(Example(build, batch, loss, score, "accuracy %"), given, lr=5e-4)


if __name__ == "__main__":
    main()
