from attention_zoo.operators.base import AttentionOperator, zero_pads
from attention_zoo.operators.blocks import (
    BlockOperator,
    from_blocks,
    gather_blocks,
    neighbours,
    to_blocks,
)
from attention_zoo.operators.cache import DecodingCache
from attention_zoo.operators.cached import CachedOperator
from attention_zoo.operators.causal import CausalOperator
from attention_zoo.operators.collisions import CollisionOperator
from attention_zoo.operators.convolution import (
    ConvolutionOperator,
    convolution_kernel,
    toeplitz,
)
from attention_zoo.operators.dense import DenseOperator
from attention_zoo.operators.empty import EmptyOperator
from attention_zoo.operators.factored import FactoredOperator
from attention_zoo.operators.filtered import FilteredOperator
from attention_zoo.operators.kernel import KernelOperator
from attention_zoo.operators.landmark import LandmarkOperator
from attention_zoo.operators.recurrence import Recurrence
from attention_zoo.operators.rows import RowsOperator
from attention_zoo.operators.scaling import (
    log_row_stochastic_factors,
    row_stochastic_factors,
)
from attention_zoo.operators.sum import SumOperator

__all__ = [
    "AttentionOperator",
    "BlockOperator",
    "CachedOperator",
    "CausalOperator",
    "CollisionOperator",
    "ConvolutionOperator",
    "DecodingCache",
    "DenseOperator",
    "EmptyOperator",
    "FactoredOperator",
    "FilteredOperator",
    "KernelOperator",
    "LandmarkOperator",
    "Recurrence",
    "RowsOperator",
    "SumOperator",
    "convolution_kernel",
    "from_blocks",
    "gather_blocks",
    "log_row_stochastic_factors",
    "neighbours",
    "row_stochastic_factors",
    "to_blocks",
    "toeplitz",
    "zero_pads",
]
