"""What GFSA costs in models of transformers: `python -m benchmarks.adapters`, on a GPU where there
is one; `--small` is for a CPU.

A training step (forward and backward pass, no optimizer) of a randomly initialised encoder as large
as BERT-base and of a decoder as large as GPT-2, without attention dropout: with their fused
kernel, with GFSA of K = 3 in all or in the even layers (`apply_gfsa`, which applies Ā twice and
writes neither Ā nor Ā² down), and with GFSA in the dense formulation of the released code, where Ā
is written down and squared. Ratios are to the unchanged model at the same N; peaks are of the
memory that the step allocates.
"""

import argparse

import torch
from tabulate import tabulate

from attention_zoo import UsageError
from benchmarks.timing import interleaved, machine, peak
from gfsa.adapters import apply_gfsa
from lra.system.allocator import keep_freed_memory

K = 3
VARIANTS = {
    "unchanged": None,
    "GFSA, even layers": "even",
    "GFSA": "all",
    "GFSA, Ā squared": "dense",
}


def build(kind, width, layers, heads, longest):
    from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

    if kind == "BERT":
        config = BertConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=4 * width,
            max_position_embeddings=longest,
            attention_probs_dropout_prob=0.0,
        )
        return BertModel._from_config(config, attn_implementation="sdpa")
    config = GPT2Config(
        n_embd=width, n_layer=layers, n_head=heads, n_positions=longest, attn_pdrop=0.0
    )
    return GPT2Model._from_config(config, attn_implementation="sdpa")


def squared(module, q, k, v, mask, scaling, **_):
    """Ā + w_K ((K − 1)(Ā² − Ā) + Ā), a matrix N×N for each head, and its product with v."""
    scores = q @ k.mT * scaling
    if module.is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(later, float("-inf"))
    A = scores.softmax(-1)
    w_K = module.w_K[:, None, None].to(A.dtype)
    H = A + w_K * ((K - 1) * (A @ A - A) + A)
    return (H @ v).transpose(1, 2), None


def change(model, layers):
    """In place, as one of VARIANTS says."""
    if layers == "dense":
        from transformers import AttentionInterface

        AttentionInterface.register("squared", squared)  # without masks: nothing is padded
        for module in model.modules():
            if hasattr(module, "is_causal"):
                heads = model.config.num_attention_heads
                module.w_K = torch.nn.Parameter(torch.zeros(heads, device=model.device))
        model.set_attn_implementation("squared")
    elif layers:
        apply_gfsa(model, f"gfsa:K={K},learn=wK", layers)
    return model


def step(model, tokens, dtype):
    def run():
        with torch.autocast(tokens.device.type, dtype, enabled=dtype != torch.float32):
            model(tokens, use_cache=False)[0].float().square().mean().backward()
        model.zero_grad()

    return run


def rows(options, dtype):
    width, layers, heads = (64, 2, 2) if options.small else (768, 12, 12)
    for kind in options.models:
        for N in options.lengths:
            tokens = torch.randint(2, 1_000, (options.batch, N), device=options.device)
            seconds, peaks = {}, {}
            steps = {}
            for name, layers_of in VARIANTS.items():
                torch.manual_seed(0)
                model = build(kind, width, layers, heads, max(options.lengths))
                model = change(model.to(options.device).train(), layers_of)
                steps[name] = step(model, tokens, dtype)
                try:
                    steps[name]()  # what is made once
                    peaks[name] = peak(steps[name], options.device)
                except torch.OutOfMemoryError:
                    del steps[name]
            seconds = interleaved(steps, options.repetitions)
            for name in VARIANTS:
                cells = ["out of memory", "", "", ""]
                if name in seconds:
                    ms, MiB = 1e3 * seconds[name], peaks[name] / 2**20
                    base = 1e3 * seconds["unchanged"], peaks["unchanged"] / 2**20
                    cells = [f"{ms:.1f}", f"{ms / base[0]:.2f}"]
                    cells += [f"{MiB:.0f}", f"{MiB / base[1]:.2f}"]
                yield [kind, N, name, *cells]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=("BERT", "GPT-2"), default=["BERT", "GPT-2"])
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--small", action="store_true", help="two narrow layers, for a CPU")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cpu", "cuda"), default=default)
    options = parser.parse_args()
    if options.device == "cpu" and not options.small:
        raise SystemExit(str(UsageError("full-size models need a GPU: give --small for a CPU")))
    keep_freed_memory()
    table = list(rows(options, getattr(torch, options.dtype)))
    head = ["model", "N", "attention", "ms", "ratio", "peak MiB", "ratio"]
    print(f"{machine(options.device)}\nbatch {options.batch}, {options.dtype} autocast\n")
    print(tabulate(table, head, tablefmt="github"))


if __name__ == "__main__":
    main()
