"""GFSA in wav2vec 2.0 with CTC: which notes are played, one after another?

python examples/speech.py
"""

import torch
import torch.nn.functional as F
from common import Example, compare, options
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

RATE, TONE, NOTES, LONGEST = 4_000, 400, 8, 8  # samples a second and a note; the most notes
CONFIG = Wav2Vec2Config(
    vocab_size=NOTES + 1,
    hidden_size=64,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=128,
    conv_dim=(32, 32, 32),
    conv_stride=(5, 4, 2),
    conv_kernel=(10, 4, 3),
    feat_extract_norm="layer",
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=4,
    hidden_dropout=0.0,
    attention_dropout=0.0,
    activation_dropout=0.0,
    feat_proj_dropout=0.0,
    final_dropout=0.0,
    layerdrop=0.0,
    mask_time_prob=0.0,
    pad_token_id=0,
)


def played(count, generator):
    """Sounds (B, samples), their notes (B, LONGEST) from 1, and how many there are."""
    lengths = torch.randint(3, LONGEST + 1, (count,), generator=generator)
    notes = torch.randint(1, NOTES + 1, (count, LONGEST), generator=generator)
    time = torch.arange(TONE) / RATE
    pitch = 200.0 * 2 ** (notes / NOTES)  # an octave in equal steps
    phase = torch.rand(count, LONGEST, 1, generator=generator)
    waves = torch.sin(2 * torch.pi * (pitch[..., None] * time + phase))
    waves = waves * torch.hann_window(TONE) * (torch.arange(LONGEST) < lengths[:, None])[..., None]
    noise = 0.1 * torch.randn(count, LONGEST * TONE, generator=generator)
    return waves.flatten(1) + noise, notes, lengths


def errors(found, expected):
    """Levenshtein's distance."""
    row = list(range(len(expected) + 1))
    for i, a in enumerate(found, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(expected, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def main():
    given = options(__doc__, steps=3_000)
    sounds, notes, lengths = played(200, torch.Generator().manual_seed(1))

    def build():
        # Pretrained: Wav2Vec2ForCTC.from_pretrained("facebook/wav2vec2-base",
        #     attention_dropout=0.0, ctc_loss_reduction="mean"), with sounds at 16 kHz.
        return Wav2Vec2ForCTC(CONFIG)

    def loss(model, batch):
        log_p = model(batch[0]).logits.log_softmax(-1).transpose(0, 1)
        frames = torch.full((log_p.shape[1],), log_p.shape[0])
        return F.ctc_loss(log_p, batch[1], frames, batch[2], zero_infinity=True)

    def score(model):
        wrong = 0
        for row, answer, n in zip(model(sounds).logits.argmax(-1), notes, lengths, strict=True):
            found = [i for i in row.unique_consecutive().tolist() if i]
            wrong += errors(found, answer[:n].tolist())
        return 100 * wrong / lengths.sum().item()

    example = Example(build, lambda generator: played(8, generator), loss, score, "error %")
    compare(example, given, lr=5e-4)


if __name__ == "__main__":
    main()
