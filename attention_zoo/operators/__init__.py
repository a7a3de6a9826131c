from attention_zoo.operators.base import AttentionOperator, zero_pads
from attention_zoo.operators.dense import DenseOperator
from attention_zoo.operators.factored import FactoredOperator
from attention_zoo.operators.filtered import FilteredOperator
from attention_zoo.operators.kernel import KernelOperator
from attention_zoo.operators.scaling import row_stochastic_factors

__all__ = [
    "AttentionOperator",
    "DenseOperator",
    "FactoredOperator",
    "FilteredOperator",
    "KernelOperator",
    "row_stochastic_factors",
    "zero_pads",
]
