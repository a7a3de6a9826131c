"""GFSA in a ViT, on images of LRA's Image task.

python examples/images.py [--data-dir DIR]

Without the files of CIFAR-10 in DIR it takes the task's sample, drawn by the project.
"""

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from common import Example, accuracy, compare, drawn, options
from transformers import ViTConfig, ViTForImageClassification

from lra.tasks.image.official import find, read
from lra.tasks.image.sample import write

CONFIG = ViTConfig(
    image_size=32,
    patch_size=4,
    num_channels=1,
    hidden_size=64,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=128,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    num_labels=10,
)


def load(folder):
    """Images (count, 1, 32, 32) and labels, for training and for the test."""
    with tempfile.TemporaryDirectory() as sample:
        if folder is None:
            folder = Path(sample)
            write(folder, {"train": 2_000, "test": 500}, seed=0)
        for pixels, labels in (read(find(folder))[name] for name in ("train", "test")):
            images = torch.tensor(pixels).view(-1, 1, 32, 32).float()
            yield images / 127.5 - 1, torch.tensor(labels).long()


def main():
    given = options(__doc__, steps=300)
    (images, labels), (test, expected) = load(given.data_dir)

    def build():
        # Pretrained: ViTForImageClassification.from_pretrained("google/vit-base-patch16-224",
        #     num_labels=10, ignore_mismatched_sizes=True), with images of its size and channels.
        return ViTForImageClassification(CONFIG)

    def batch(generator):
        chosen = drawn(len(labels), 32, generator)
        return images[chosen], labels[chosen]

    def loss(model, batch):
        return F.cross_entropy(model(batch[0]).logits, batch[1])

    def score(model):
        return accuracy(torch.cat([model(part).logits for part in test.split(250)]), expected)

    compare(Example(build, batch, loss, score, "accuracy %"), given)


if __name__ == "__main__":
    main()
