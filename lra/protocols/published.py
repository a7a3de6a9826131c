"""The protocols that LRA results are published under, and a short one of our own.

The numbers are those of the released code for ListOps, whose papers' appendices sometimes differ:
Nyströmformer's and Skyformer's LRA configurations (one model, two ways to train it), and LRA's own
base configuration with its model's defaults.
"""

from dataclasses import replace

from attention_zoo.errors import unknown
from lra.protocols.settings import Deviation, ModelSettings, Protocol, TrainingSettings
from lra.tasks import get_task
from lra.tasks.listops import ListOpsSettings

SMALL = (
    Deviation(
        "mean pooling over true lengths (source: over padded length)",
        "--set model.pooling=padded_mean",
    ),
    Deviation("no attention dropout (source: 0.1, softmax only)"),
    Deviation("float32 (source: fp16 mixed precision)"),
    Deviation(
        "closing bracket kept (source: all brackets lost in tokenisation)",
        "--set task.brackets=drop",
    ),
    Deviation(
        "evaluations count every example (source: whole batches only)",
        "--set training.drop_last=true",
    ),
    Deviation("N = 2,000 (source: 2,048 with 48 pads)"),
)

NYSTROMFORMER = Protocol(
    name="nystromformer",
    source="Xiong et al. 2021 (arXiv 2102.03902) and its released LRA code",
    comparable="LRA under the small protocol of Nyströmformer, but for the deviations",
    deviations=SMALL,
    task=ListOpsSettings(),
    model=ModelSettings(),
    training=TrainingSettings(),
)

SKYFORMER = Protocol(
    name="skyformer",
    source="Chen et al. 2021 (arXiv 2111.00035) and its released LRA code",
    comparable="LRA under the small protocol of Skyformer, but for the deviations",
    deviations=(
        *SMALL,
        Deviation(
            "the best weights are kept from the first validation on (source: from 20 % of the "
            "steps on, else the last weights are tested)"
        ),
    ),
    task=ListOpsSettings(),
    model=ModelSettings(),
    training=TrainingSettings(steps=50_000, eval_every=500, clip_value=1.0),
)

GOOGLE = Protocol(
    name="google",
    source="Tay et al. 2021 (arXiv 2011.04006), the configuration released with it",
    comparable="LRA as its authors released it, but for the deviations",
    deviations=(
        Deviation(
            "the released configuration (the paper's appendix: a larger model)",
            "--set model.layers=6 model.ffn=2048 model.head=2048",
        ),
        Deviation("no attention dropout (source: 0.1)"),
        Deviation("linear layers start as torch's do (source: as Flax's)"),
        Deviation(
            "the best weights on validation are tested (source: the last)",
            "--set training.select=last",
        ),
    ),
    task=ListOpsSettings(),
    model=ModelSettings(
        layers=4,
        dim=512,
        heads=8,
        ffn=1024,
        head=1024,
        vocabulary=17,
        token_std=1.0,
        positions=2001,
        encoding="sinusoidal",
        bias=False,
        pooling="cls",
    ),
    training=TrainingSettings(
        learning_rate=0.05,
        schedule="rsqrt",
        beta2=0.98,
        epsilon=1e-9,
        weight_decay=0.1,
    ),
)

QUICK = Protocol(
    name="quick",
    source="this project",
    comparable="not comparable with LRA: short expressions, minutes on a CPU",
    deviations=(),
    task=ListOpsSettings(
        source="generated", train=20_000, val=1_000, test=1_000, min_length=16, max_length=128
    ),
    model=replace(NYSTROMFORMER.model, positions=128),
    training=TrainingSettings(steps=600, learning_rate=1e-3, warmup=60, eval_every=100),
)

PROTOCOLS = {protocol.name: protocol for protocol in (NYSTROMFORMER, SKYFORMER, GOOGLE, QUICK)}


def get_protocol(name: str, task: str) -> Protocol:
    """The protocol `name` for `task`; UsageError names the nearest where there is none."""
    get_task(task)
    if name not in PROTOCOLS:
        raise unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
