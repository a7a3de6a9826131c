"""The protocols by name, each from what is common to its tasks and a task's setup under it.

google: LRA's own configurations. Every attention gets the sizes of the released `transformer_base`;
the release gives some attentions others, which breaks the rule of its README (at most 10 % more
parameters, all else equal). The paper's appendix differs from the release in sizes: we take the
release, whose parameter counts are the published ones.

nystromformer, skyformer: two pre-norm layers of 64, two heads, learned positions, AdamW under
OneCycle, as their released code has it; their papers' appendices sometimes differ.
"""

from collections.abc import Callable
from dataclasses import dataclass

from attention_zoo.errors import UsageError, unknown
from lra.protocols import attentions
from lra.protocols.protocol import Protocol
from lra.settings import Deviation, Stated
from lra.tasks import Setup, get_task


@dataclass(frozen=True)
class Common:
    """What is common to the tasks of a protocol.

    dropped: for which attentions, by name, its source had attention dropout; dropout: that in
    words, empty where it had none.
    """

    source: str
    comparable: str
    deviations: tuple[Deviation, ...] = ()
    stated: tuple[Stated, ...] = ()
    dropout: str = ""
    dropped: Callable[[str], bool] = lambda attention: False

    def under(self, name: str, setup: Setup) -> Protocol:
        dropout = Deviation(
            f"attention dropout only where it is set (source: {setup.attention_dropout}, "
            f"{self.dropout})",
            f"--set model.attention_dropout={setup.attention_dropout}",
        )
        stated = {one.attention: one for one in (*self.stated, *setup.stated)}
        return Protocol(
            name=name,
            source=self.source,
            comparable=setup.comparable or self.comparable,
            deviations=(*([dropout] if self.dropout else ()), *self.deviations, *setup.deviations),
            task=setup.task,
            model=setup.model,
            training=setup.training,
            stated=tuple(stated.values()),
        )


SMALL = (
    Deviation("float32, but under --precision 16-mixed (source: fp16 mixed precision)"),
    Deviation(
        "performer's features are drawn anew every 1,000 steps (source: drawn once, "
        "as --attn performer:redraw=0)"
    ),
    Deviation(
        "evaluations count every example (source: whole batches only)",
        "--set training.drop_last=true",
    ),
)
PROTOCOLS = {
    "nystromformer": Common(  # Xiong et al. 2021, §4.4
        source="Xiong et al. 2021 (arXiv 2102.03902) and its released LRA code",
        comparable="LRA under the small protocol of Nyströmformer, but for the deviations",
        deviations=SMALL,
        stated=attentions.NYSTROMFORMER,
        dropout="for softmax alone: set it in runs of no other attention",
        dropped=lambda attention: attention == "softmax",
    ),
    "skyformer": Common(  # Chen et al. 2021, appendix
        source="Chen et al. 2021 (arXiv 2111.00035) and its released LRA code",
        comparable="LRA under the small protocol of Skyformer, but for the deviations",
        deviations=(
            *SMALL,
            Deviation(
                "the best weights are kept from the first validation on (source: from 20 % of the "
                "steps on, else the last weights are tested)"
            ),
        ),
        stated=attentions.SKYFORMER,
        dropout="for softmax and kernelized alone: set it in runs of no other attention",
        dropped=lambda attention: attention in ("softmax", "kernelized"),
    ),
    "google": Common(  # Tay et al. 2021, §3 and appendix
        source="Tay et al. 2021 (arXiv 2011.04006), the configuration released with it",
        comparable="LRA as its authors released it, but for the deviations",
        deviations=(
            Deviation("linear layers start as torch's do (source: as Flax's)"),
            Deviation("layer norm's ε is torch's 1e-5 (source: Flax's 1e-6)"),
            Deviation("GELU is exact (source: Flax's approximation by tanh)"),
            Deviation(
                "the best weights on validation are tested (source: the last)",
                "--set training.select=last",
            ),
            Deviation(
                "one size of model for all attentions (source: Image and Pathfinder have others)"
            ),
        ),
        stated=attentions.GOOGLE,
        dropout="but for linear and performer; here linformer, sinkhorn and reformer cannot have "
        "it",
        dropped=lambda attention: attention not in ("linear", "performer"),
    ),
    # Ours: every task offline and in minutes on a CPU.
    "quick": Common(
        source="this project",
        comparable="not comparable with LRA: few examples, minutes on a CPU",
    ),
}


def standard(name: str, task: str) -> Protocol:
    """The protocol `name` for `task`, which may be one that the task alone has.

    Raises UsageError where there is none, or none for this task.
    """
    setups = get_task(task).protocols
    if name in setups:
        own = Common(f"the task {task}", f"not comparable with LRA: the task {task} defines it")
        return PROTOCOLS.get(name, own).under(name, setups[name])
    if name in PROTOCOLS:
        raise UsageError(
            f"task {task!r} has no settings under the protocol {name!r}; choose from "
            f"{', '.join(setups)}"
        )
    raise unknown("protocol", name, setups)


def drops(protocol: str, attention: str) -> bool:
    """Whether a protocol's source had attention dropout for the attention of that name."""
    return protocol in PROTOCOLS and PROTOCOLS[protocol].dropped(attention)
