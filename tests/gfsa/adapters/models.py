"""Small models of transformers with random weights, nothing of them fetched, and GFSA on a model's
attention from its definition."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode

SMALL = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
IMAGES = SMALL | {"image_size": 8, "patch_size": 2}
SPEECH = SMALL | {
    "attention_dropout": 0.0,
    "conv_dim": (8, 8),
    "conv_stride": (4, 4),
    "conv_kernel": (4, 4),
    "feat_extract_norm": "layer",
    "layerdrop": 0.0,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}
for absent in ("vocab_size", "max_position_embeddings"):
    del IMAGES[absent]
del SPEECH["max_position_embeddings"]

CONFIGS = {
    "Bert": SMALL,
    "Roberta": SMALL,
    "Albert": SMALL | {"embedding_size": 8},
    "ViT": IMAGES,
    "DeiT": IMAGES,
    "Swin": {
        "image_size": 16,
        "patch_size": 2,
        "embed_dim": 8,
        "depths": [2, 2],
        "num_heads": [2, 4],
        "window_size": 4,
        "attention_probs_dropout_prob": 0.0,
    },
    "GPT2": {
        "vocab_size": 50,
        "n_embd": 16,
        "n_layer": 4,
        "n_head": 2,
        "n_positions": 64,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "bos_token_id": 0,
        "eos_token_id": 1,
    },
    "Wav2Vec2": SPEECH,
    "Hubert": SPEECH,
    "T5": {
        "vocab_size": 50,
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 32,
        "num_layers": 2,
        "num_heads": 2,
        "dropout_rate": 0.0,
        "decoder_start_token_id": 0,
    },
}
TOKENS = ("Bert", "Roberta", "Albert", "GPT2", "T5")
# What `apply_gfsa(layers=...)` is given, and how many sets of weights that makes.
LAYERS = {"Albert": ("all", 1), "Swin": ("even", 2), "T5": ("even", 2)}


def build(name, kernel="sdpa", kind="Model", dtype=torch.float64, **options):
    import transformers

    config = getattr(transformers, f"{name}Config")(**CONFIGS[name] | options)
    cls = getattr(transformers, f"{name}{kind}")
    model = cls._from_config(config, attn_implementation=kernel).to(dtype).eval()
    with torch.no_grad():  # small random models hardly attend to anything
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def inputs(name, dtype=torch.float64):
    """Two examples; of tokens and of sounds, the first is shorter."""
    if name in ("ViT", "DeiT", "Swin"):
        size = CONFIGS[name]["image_size"]
        return {"pixel_values": torch.randn(2, 3, size, size, dtype=dtype)}
    if name in ("Wav2Vec2", "Hubert"):
        real = torch.arange(400) < torch.tensor([[200], [400]])
        return {"input_values": torch.randn(2, 400, dtype=dtype), "attention_mask": real.long()}
    tokens = torch.randint(2, 50, (2, 9))
    given = {
        "input_ids": tokens,
        "attention_mask": (torch.arange(9) < torch.tensor([[6], [9]])).long(),
    }
    return given | ({"decoder_input_ids": tokens} if name == "T5" else {})


def real(name, output):
    """What of an output (2, N, C) is of real tokens."""
    if name in ("Wav2Vec2", "Hubert"):
        return output[0, :11], output[1]
    return (output[0, :6], output[1]) if name in TOKENS and name != "T5" else (output,)


def adapters(model):
    return {name: m.gfsa for name, m in model.named_modules() if hasattr(m, "gfsa")}


def outputs(*modules):
    """What each module will return, a list a module."""
    lists = [[] for _ in modules]
    for module, seen in zip(modules, lists, strict=True):
        module.register_forward_hook(lambda *given, seen=seen: seen.append(given[-1]))
    return lists


def randomise(model):
    with torch.no_grad():
        for adapter in adapters(model).values():
            for parameter in adapter.parameters():
                parameter.add_(torch.rand_like(parameter) - 0.5)


def dense(filtered, plain):
    """The plain model with GFSA of the filtered one's weights, Ā and Ā² written down."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import eager_mask

    AttentionInterface.register("written_down", written_down)
    AttentionMaskInterface.register("written_down", eager_mask)
    plain.load_state_dict(filtered.state_dict(), strict=False)
    for name, adapter in adapters(filtered).items():
        plain.get_submodule(name).weights = adapter.filters[0]
    plain.set_attn_implementation("written_down")
    return plain


def written_down(module, q, k, v, mask, scaling, position_bias=None, **_):
    scores = q @ k.mT * scaling
    for bias in (position_bias, mask):
        scores = scores if bias is None else scores + bias
    A = scores.softmax(-1)
    if hasattr(module, "weights"):
        w0, w1, wK = (getattr(module.weights, name)[:, None, None] for name in ("w0", "w1", "wK"))
        A_K = A + (module.weights.K - 1) * (A @ A - A)
        A = w0 * torch.eye(A.shape[-1], dtype=A.dtype) + w1 * A + wK * A_K
    return (A @ v).transpose(1, 2), None


class Made(TorchDispatchMode):
    """By which operators tensors of N² elements or more are made."""

    def __init__(self, N):
        super().__init__()
        self.N, self.square, self.calls = N, set(), 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **kwargs or {})
        self.calls += 1
        for x in result if isinstance(result, tuple | list) else (result,):
            if isinstance(x, torch.Tensor) and x.numel() >= self.N**2:
                self.square.add(str(function))
        return result


def made(model, N, pads):
    tokens = torch.randint(2, 50, (1, N))
    mask = (torch.arange(N) < N - pads).long()[None]
    with Made(N) as mode:
        model(tokens, attention_mask=mask)[0].sum().backward()
    assert mode.calls > 100
    return mode.square
