"""GFSA in GPT-2, on this project's own documentation, byte by byte.

python examples/language_model.py
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from common import Example, compare, drawn, options
from transformers import GPT2Config, GPT2LMHeadModel

LENGTH = 128
ROOT = Path(__file__).parent.parent
CONFIG = GPT2Config(
    vocab_size=256,
    n_positions=LENGTH,
    n_embd=64,
    n_layer=4,
    n_head=4,
    resid_pdrop=0.0,
    embd_pdrop=0.0,
    attn_pdrop=0.0,
    bos_token_id=10,
    eos_token_id=0,
)


def main():
    given = options(__doc__, steps=1_000)
    files = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))
    text = torch.tensor(list(b"\n".join(file.read_bytes() for file in files)))
    train, test = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]

    def build():
        # Pretrained: GPT2LMHeadModel.from_pretrained("gpt2", attn_pdrop=0.0), with its tokenizer.
        return GPT2LMHeadModel(CONFIG)

    def batch(generator):
        starts = drawn(len(train) - LENGTH, 16, generator)
        return train[starts[:, None] + torch.arange(LENGTH)]

    def loss(model, ids):
        logits = model(ids[:, :-1]).logits
        return F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    def score(model):
        pieces = test[: len(test) // LENGTH * LENGTH].view(-1, LENGTH)
        parts = pieces.split(64)
        return (
            torch.stack([loss(model, part) * len(part) for part in parts])
            .sum()
            .div(len(pieces))
            .exp()
            .item()
        )

    models = compare(Example(build, batch, loss, score, "perplexity"), given)
    prompt = torch.tensor([list(b"Attention ")])
    torch.manual_seed(given.seed)
    line = models["+gfsa"].generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=60, do_sample=True, top_k=20
    )
    print("sampled with GFSA:", bytes(line[0].tolist()).decode(errors="replace").split("\n")[0])


if __name__ == "__main__":
    main()
