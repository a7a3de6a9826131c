"""What can be wrong with the formula of an attention's operations."""

import torch

from attention_zoo import Cost, FactoredOperator, Product
from attention_zoo.attentions.linear import Linear


class MoreFeatures(Linear):
    def cost(self, inputs):
        return FactoredOperator.cost(inputs, R=self.head_dim + 1)


class ForgottenMap(Linear):
    def operator(self, q, k, keep):
        return super().operator(q @ torch.eye(self.head_dim, dtype=q.dtype), k, keep)


class ForgottenGradient(ForgottenMap):
    def cost(self, inputs):
        B, H, N, D = inputs.shape
        return super().cost(inputs).made_by(Product(N, D, D, B * H, backward=0))


class ForgottenClosedForm(Linear):
    def cost(self, inputs):
        return Cost(applying=super().cost(inputs).applying)


class PaddedFormula(Linear):
    def cost(self, inputs):
        cost = super().cost(inputs)
        return cost if inputs.lengths is None else cost.made_by(Product(1, 1, 1))


MISCOUNTS = (
    MoreFeatures,
    ForgottenMap,
    ForgottenGradient,
    ForgottenClosedForm,
    PaddedFormula,
)
