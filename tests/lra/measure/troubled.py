"""A plugin: linear attention that gets into trouble from N = `at` on."""

import os
import signal
import sys
import time
from dataclasses import replace
from typing import Literal

import torch

from attention_zoo import register_attention
from attention_zoo.attentions.linear import Linear


@register_attention("troubled")
class Troubled(Linear):
    """See above."""

    def __init__(
        self,
        *,
        heads: int,
        head_dim: int,
        max_len: int,
        at: int = 160,
        how: Literal["memory", "kill", "exit", "sleep", "raise", "wrong", "formula"] = "raise",
    ):
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)
        self.at, self.how = at, how

    def operator(self, q, k, keep):
        if q.shape[-2] >= self.at:
            self.trouble()
        wrong = self.how == "wrong" and q.dtype != torch.float64  # which the kit does not see
        return super().operator(q.roll(1, 2) if wrong else q, k, keep)

    def trouble(self):
        if self.how == "memory":
            torch.empty(1 << 60, dtype=torch.uint8)
        elif self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.how == "exit":
            sys.exit("the device is on fire")
        elif self.how == "sleep":
            time.sleep(600)
        elif self.how == "raise":
            raise RuntimeError("no such block")

    def cost(self, inputs):
        cost = super().cost(inputs)
        return replace(cost, applying=cost.applying * 2) if self.how == "formula" else cost
