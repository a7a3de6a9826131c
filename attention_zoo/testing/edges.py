"""A module survives what people do with modules: copies, other lengths, nothing given, exports."""

import copy
import logging
import warnings

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.optim.swa_utils import AveragedModel

from attention_zoo.errors import one_line
from attention_zoo.layer import build_layer
from attention_zoo.spec import attention_of
from attention_zoo.testing.cases import (
    MAX_LEN,
    PADDED,
    C,
    Case,
    CheckFailed,
    D,
    H,
    agree,
    at,
    attention,
    disturb,
    gradients,
    layer,
    learned,
    operator_of,
    require,
    unfiltered,
)
from attention_zoo.testing.padding import APPLIED


def copies(spec: str) -> None:
    """After a training step a layer can be deep-copied and averaged (AveragedModel), and the copies
    compute the same."""
    module, x = layer(spec).train(), PADDED.tensors()[3]
    module(x, PADDED.keep).sum().backward()
    average = AveragedModel(module)
    average.update_parameters(module)
    expected = module.eval()(x, PADDED.keep)
    for name, other in (("deepcopy", copy.deepcopy(module)), ("AveragedModel", average.eval())):
        agree(other(x, PADDED.keep), expected, f"the result of a {name}", PADDED)


def lengths(spec: str) -> None:
    """The state of a layer of another max_len is refused by load_state_dict, or gives that layer's
    results."""
    first, case = layer(spec), PADDED
    x = case.tensors()[3]
    expected = at(case.real[..., None], first(x, case.keep))
    for max_len in (case.N, 50, MAX_LEN + 1, 2 * MAX_LEN, 5 * MAX_LEN):
        other = build_layer(spec, dim=C, heads=H, max_len=max_len).double().eval()
        try:
            other.load_state_dict(first.state_dict())
        except RuntimeError:
            continue
        y = at(case.real[..., None], other(x, case.keep))
        what = f"the result of a layer of max_len={max_len} with the state of one of {MAX_LEN}"
        agree(y, expected, what, case)


def meta(spec: str) -> None:
    """Built on the meta device, moved with to_empty and given a state, a layer computes as the
    layer whose state that is."""
    first, case = layer(spec), PADDED
    with torch.device("meta"):
        second = build_layer(spec, dim=C, heads=H, max_len=MAX_LEN)
    second = second.to_empty(device="cpu").double().eval()
    with torch.no_grad():
        for tensor in (*second.parameters(), *second.buffers()):
            tensor.fill_(float("nan") if tensor.is_floating_point() else -1)
    second.load_state_dict(first.state_dict())
    x = case.tensors()[3]
    for what in ("as loaded", "after a draw"):
        y, expected = (at(case.real[..., None], module(x, case.keep)) for module in (second, first))
        require(
            torch.equal(y, expected), f"a layer that was on the meta device differs {what}", case
        )
        for part in (second.attention, first.attention):
            unfiltered(part).resample(torch.Generator().manual_seed(7))


def no_tokens(spec: str) -> None:
    """Without tokens or examples, results are empty and all gradients 0."""
    module, step = attention(spec).train(), layer(spec).train()
    for B, N in ((0, 5), (2, 0), (0, 0)):
        for keep in (None, torch.ones(B, N, dtype=torch.bool)):
            what = f"B={B}, N={N}, {'no mask' if keep is None else 'a mask'}"
            double = torch.zeros((), dtype=torch.float64)
            q, k, v = (double.new_zeros(B, H, N, D).requires_grad_() for _ in range(3))
            x = double.new_zeros(B, N, C).requires_grad_()
            operator = operator_of(module, q, k, keep, x)
            require(operator.dense().shape == (B, H, N, N), "dense() has a wrong shape", what)
            wanted = {"q": q, "k": k, "v": v, "x": x, **learned(module)}
            for apply in (*APPLIED.values(), lambda operator, v: operator.mean(v)):
                y = apply(operator_of(module, q, k, keep, x), v)
                require(y.shape == v.shape, f"a result is {tuple(y.shape)}", what)
                _nothing(y, wanted, what)
            y = step(x, keep)
            require(y.shape == x.shape, f"a layer's result is {tuple(y.shape)}", what)
            term = unfiltered(step.attention).auxiliary_loss()
            _nothing(y if term is None else y + term, {"x": x, **learned(step)}, what)


def _nothing(y: Tensor, wanted: dict[str, Tensor], what: str) -> None:
    for name, gradient in gradients(y, wanted, torch.ones_like(y)).items():
        require(not gradient.any(), f"{name} is not 0", what)  # NaN is not, either


def export(spec: str) -> None:
    """torch.export takes a layer with a batch size that varies, and a length that varies where its
    `support` says so; the program computes as the layer."""
    module = disturb(build_layer(spec, dim=C, heads=H, max_len=MAX_LEN)).eval()
    sizes = {0: Dim("B", min=2, max=64)}
    others = [(5, 17)]
    if attention_of(spec).support.dynamic_length:
        # torch fixes N where it may be max_len: a slice of a weight is then the whole of it.
        sizes |= {1: Dim("N", min=2, max=MAX_LEN - 1)}
        others += [(3, 2), (2, MAX_LEN - 1)]
    program = _exported(module, sizes)
    for B, N in others:
        case = Case(N, (N, N // 2, 1, N, 2)[:B], dtype=torch.float32)
        given = case.tensors()[3].detach(), case.keep
        y, expected = (at(case.real[..., None], made(*given)) for made in (program, module))
        agree(y, expected, "the result of the exported program", case, tolerance=1e-4)


def _exported(module: nn.Module, sizes: dict[int, Dim]) -> nn.Module:
    case = Case(17, (17, 9), dtype=torch.float32)
    given = case.tensors()[3].detach(), case.keep
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # it logs whole graphs of what it refuses
    try:
        with torch.no_grad(), warnings.catch_warnings(action="ignore"):
            program = torch.export.export(
                module, given, dynamic_shapes=(sizes, sizes), strict=False
            )
        return program.module()
    except Exception as error:
        hint = "; or declare Support(dynamic_length=False)" if 1 in sizes else ""
        raise CheckFailed(f"torch.export: {one_line(error)[:300]}{hint}; {case}") from error
    finally:
        logging.disable(level)
