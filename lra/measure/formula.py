"""Operations of what is measured, from the formulas of attentions and the shapes of the rest."""

from torch import nn

from attention_zoo.flops import Product, formula_flops, linear_product
from lra.measure.job import Job
from lra.model import Encoder
from lra.tasks import get_task


def subject_flops(job: Job, module: nn.Module, N: int, *, training: bool) -> int | None:
    """What `count_flops` finds for one pass of a job's subject; None where its attention, or a
    filter on it, states no formula."""
    settings = job.settings
    if settings.level != "step":
        given = {"dtype": job.dtype, "device": job.device}
        return formula_flops(module, settings.batch, N, training=training, **given)
    B, part = settings.batch, settings.micro_batch or settings.batch
    parts = [min(part, B - start) for start in range(0, B, part)]
    found = [encoder_flops(job, module, size, N, training=training) for size in parts]
    return None if None in found else sum(found)


def encoder_flops(job: Job, model: Encoder, B: int, N: int, *, training: bool) -> int | None:
    """Of B examples through the model: its layers, their two feed-forward products, the head."""
    rows = B * get_task(job.settings.task).metadata.sequences
    tokens = N + (model.pooling == "cls")
    products: list[Product] = [linear_product(part, B) for part in _linears(model.head)]
    total = 0
    for block in model.blocks:
        products += [linear_product(part, rows * tokens) for part in _linears(block.ffn)]
        attention = formula_flops(
            block.attention,
            rows,
            tokens,
            training=training,
            lengths=[tokens] * rows,  # steps have a mask, of which all is real
            dtype=job.dtype,
            device=job.device,
        )
        if attention is None:
            return None
        total += attention
    return total + sum(product.flops(training) for product in products)


def _linears(module: nn.Module) -> list[nn.Linear]:
    return [part for part in module.modules() if isinstance(part, nn.Linear)]
