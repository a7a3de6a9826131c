"""Whether the tests notice: each mutant is one wrong line, and its tests must fail on it.

python -m tests.mutate [WORD ...]     # those whose name has one of the words; all without

Exits with 1 and the names of the survivors; with 2 and one line where a text is no longer in its
file, or a test fails without a mutant.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("attention_zoo", "gfsa", "lra", "tests", "results", "pyproject.toml", "run_lra.py")
ZOO, CONTRACT = "attention_zoo/", "tests/contract/test_contract.py::test_"


@dataclass(frozen=True)
class Mutant:
    """name: what is wrong then. tests: as pytest is given them; at least one must fail."""

    name: str
    file: str
    old: str  # once in the file
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    # Masks.
    Mutant(
        "mask: what stands at padded positions of q and k is not replaced",
        ZOO + "attention.py",
        "q, k = zero_pads(q, keep), zero_pads(k, keep)",
        "q, k = q, k",
        (CONTRACT + "attention[poison-linformer]",),
    ),
    Mutant(
        "mask: what stands at padded positions of v is not replaced",
        ZOO + "operators/base.py",
        "return zero_pads(v, self.keep)",
        "return v",
        (CONTRACT + "attention[poison-linear]",),
    ),
    Mutant(
        "mask: what stands at padded positions of a layer's x is not replaced",
        ZOO + "layer.py",
        "x = torch.where(keep[..., None], x, 0.0)",
        "x = x * keep[..., None]",
        (CONTRACT + "attention[poison-linear]",),
    ),
    Mutant(
        "mask: padded keys stay in a feature map's normaliser",
        ZOO + "parts/feature_maps.py",
        "zero_pads(phi(k), keep)",
        "phi(k)",
        (CONTRACT + "attention[reference-linear]",),
    ),
    Mutant(
        "mask: padded keys stay in a softmax over tokens",
        ZOO + "parts/tokens.py",
        "k = k.masked_fill(~keep[:, None, :, None], lowest(k))",
        "k = k",
        (CONTRACT + "attention[reference-efficient]",),
    ),
    Mutant(
        "mask: landmarks divide the padded length",
        ZOO + "parts/tokens.py",
        "    return keep.sum(-1)",
        "    return keep.new_full((x.shape[0],), x.shape[2], dtype=torch.long)",
        (CONTRACT + "attention[amount-nystrom]",),
    ),
    Mutant(
        "mask: a mean divides the padded length",
        ZOO + "operators/base.py",
        "count = self.keep.sum(-1)",
        "count = self.keep.new_full(self.keep.shape[:1], v.shape[-2], dtype=torch.long)",
        (CONTRACT + "every_filter_and_remedy_on_every_attention[mean-linear]",),
    ),
    # Coefficients.
    Mutant(
        "coefficients: GFSA's Taylor form has K for K − 1",
        "gfsa/filters/gfsa.py",
        "(K - 1) * wK]",
        "K * wK]",
        ("tests/gfsa/filters/test_gfsa.py", CONTRACT + "filtered[reference-linear]"),
    ),
    Mutant(
        "coefficients: GFSA's power is of another order",
        "gfsa/filters/gfsa.py",
        "*[0.0] * (K - 2)",
        "*[0.0] * (K - 1)",
        (CONTRACT + "filtered_by_another_mode[reference-linear]",),
    ),
    Mutant(
        "coefficients: Horner's rule takes them from the lowest order",
        ZOO + "operators/coefficients.py",
        "for coefficient in reversed(lower):",
        "for coefficient in lower:",
        (CONTRACT + "attention[polynomial-softmax]",),
    ),
    Mutant(
        "coefficients: the constant term of a factored polynomial is left out",
        ZOO + "operators/polynomial.py",
        "return torch.addcmul(left @ states[0], _per_head(c[0]), v), s, M",
        "return left @ states[0], s, M",
        (CONTRACT + "attention[polynomial-linear]",),
    ),
    Mutant(
        "coefficients: a filter stands in the layers that it does not name",
        ZOO + "build.py",
        'return layers == "all" or (layer % 2 == 0) == (layers == "even")',
        'return layers == "all" or (layer % 2 == 1) == (layers == "even")',
        ("tests/attention_zoo/test_spec.py", "tests/gfsa/filters/test_gfsa.py"),
    ),
    # Order of products.
    Mutant(
        "coefficients: a basis forgets the polynomial before the last one",
        ZOO + "operators/recurrence.py",
        "latest, add_scaled(following, -c if k else 0.0, before)",
        "latest, following",
        ("tests/gfsa/filters/test_poly.py",),
    ),
    Mutant(
        "remedies: every layer is its own first",
        ZOO + "layer.py",
        'v if shared is None else shared.setdefault("values", v)',
        "v",
        ("tests/gfsa/remedies/test_remedies.py", CONTRACT + "attention[layers-linear]"),
    ),
    Mutant(
        "order of products: powers of (right·left)ᵀ in the closed form",
        ZOO + "operators/polynomial.py",
        "+ M @ states[-1])",
        "+ M.mT @ states[-1])",
        (CONTRACT + "attention[polynomial-linear]",),
    ),
    Mutant(
        "order of products: powers of (right·left)ᵀ where a factor is never written down",
        ZOO + "operators/factored.py",
        "horner(rest, moments, lambda x: gram @ x)",
        "horner(rest, moments, lambda x: gram.mT @ x)",
        (CONTRACT + "attention[polynomial-nystrom]",),
    ),
    Mutant(
        "order of products: a landmark's core is transposed",
        ZOO + "operators/landmark.py",
        "return self.core @ (self.columns @ x)",
        "return self.core.mT @ (self.columns @ x)",
        (CONTRACT + "attention[reference-nystrom]",),
    ),
    Mutant(
        "order of products: the inverse's iteration starts at A, not at Aᵀ",
        ZOO + "parts/inverse.py",
        "z = a.mT / ",
        "z = a / ",
        (CONTRACT + "attention[reference-nystrom]",),
    ),
    Mutant(
        "order of products: a block looks at blocks after it",
        ZOO + "operators/blocks.py",
        "torch.arange(-left, right + 1, device=device)",
        "torch.arange(-right, left + 1, device=device)",
        (CONTRACT + "attention[reference-reformer]",),
    ),
    # Scaling.
    Mutant(
        "scaling: sparse softmax divides by D, not by √D",
        ZOO + "parts/patterns.py",
        "to_blocks(q * q.shape[-1] ** -0.5, block)",
        "to_blocks(q * q.shape[-1] ** -1.0, block)",
        (CONTRACT + "attention[reference-local]",),
    ),
    Mutant(
        "scaling: a factored attention's rows do not sum to 1",
        ZOO + "operators/scaling.py",
        "return left.mul_(_reciprocal(r)), k * _reciprocal(s), s, r",
        "return left, k * _reciprocal(s), s, r",
        (CONTRACT + "attention[rows-linear]",),
    ),
    Mutant(
        "scaling: Performer's features have √D for 1/√D",
        ZOO + "attentions/performer.py",
        '"auto": head_dim**-0.5',
        '"auto": head_dim**0.5',
        ("tests/attention_zoo/test_feature_maps.py",),
    ),
    Mutant(
        "scaling: a matrix product counts half its operations",
        ZOO + "flops.py",
        "return 2 * self.m * self.k",
        "return self.m * self.k",
        (CONTRACT + "attention[flops-linear]",),
    ),
    # Draws.
    Mutant(
        "draws: every layer has those of the first",
        ZOO + "build.py",
        "1_000_003 + layer +",
        "1_000_003 + 1 +",
        ("tests/attention_zoo/test_layer.py",),
    ),
    # Checkpoints.
    Mutant(
        "checkpoint choice: the worst on validation is kept",
        "lra/training/checkpoints.py",
        "val.accuracy > self.best.val.accuracy",
        "val.accuracy < self.best.val.accuracy",
        ("tests/lra/test_training.py", "tests/lra/test_checkpoints.py"),
    ),
    Mutant(
        "checkpoint choice: one of another run is taken up",
        "lra/training/checkpoints.py",
        '["identity"] == identity:',
        '["identity"]:',
        ("tests/lra/test_checkpoints.py",),
    ),
    # Attribution of failures.
    Mutant(
        "attribution: a job that was killed has made an error",
        "lra/jobs/local.py",
        "return End(Killed.kind, death(status))",
        "return End(RunFailure.kind, death(status))",
        ("tests/lra/test_jobs.py",),
    ),
    Mutant(
        "attribution: memory that ran out is an error like any other",
        "lra/failures.py",
        "kind = error.kind if isinstance(error, RunFailure) else RunFailure.kind",
        "kind = RunFailure.kind",
        ("tests/lra/test_jobs.py",),
    ),
    # Steps.
    Mutant(
        "scaling: the parts of a batch count as whole batches",
        "lra/training/step.py",
        "labels[part]), whole)",
        "labels[part]), len(labels[part]))",
        ("tests/lra/test_training.py", "tests/lra/test_step.py"),
    ),
)


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if any(word in mutant.name for word in words or [""])]
    for mutant in chosen:
        if (number := (ROOT / mutant.file).read_text().count(mutant.old)) != 1:
            return _stop(f"{mutant.name}: {mutant.old!r} is {number} times in {mutant.file}")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source, target = ROOT / name, copy / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        if _pytest(copy, tests):
            return _stop("the tests fail without a mutant; run `make test` first")
        survivors = [mutant.name for mutant in chosen if not _killed(copy, mutant)]
    for name in survivors:
        print(f"survives: {name}")
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants are killed")
    return 1 if survivors else 0


def _killed(copy: Path, mutant: Mutant) -> bool:
    path = copy / mutant.file
    before = path.read_text()
    path.write_text(before.replace(mutant.old, mutant.new))
    try:
        return _pytest(copy, mutant.tests) == 1  # some test failed; others are usage and the like
    finally:
        path.write_text(before)


def _pytest(copy: Path, tests: tuple[str, ...] | list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL).returncode


def _stop(line: str) -> int:
    print(line, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
