"""The names that `attention_zoo` offers, with every attention of this project registered."""

from attention_zoo import attentions as _attentions  # registers them
from attention_zoo.attention import Attention, Support
from attention_zoo.build import build_attention
from attention_zoo.errors import UnsupportedError, UsageError
from attention_zoo.expand import expand_specs
from attention_zoo.filter import Filter
from attention_zoo.flops import Cost, Inputs, Product, Products, formula_flops
from attention_zoo.layer import build_layer
from attention_zoo.mixer import Mixer
from attention_zoo.operators import (
    AttentionOperator,
    BlockOperator,
    DecodingCache,
    DenseOperator,
    FactoredOperator,
    FilteredOperator,
    KernelOperator,
    SumOperator,
    row_stochastic_factors,
    zero_pads,
)
from attention_zoo.precision import full_precision, lowest
from attention_zoo.registry import (
    filters,
    mixer_names,
    names,
    register_attention,
    register_filter,
    register_mixer,
)
from attention_zoo.remedy import OnOutput, OnProjections, OnValues
from attention_zoo.spec import Spec, parse_spec
from attention_zoo.state import check_on_load
from attention_zoo.version import __version__

__all__ = [
    "Attention",
    "AttentionOperator",
    "BlockOperator",
    "Cost",
    "DecodingCache",
    "DenseOperator",
    "FactoredOperator",
    "Filter",
    "FilteredOperator",
    "Inputs",
    "KernelOperator",
    "Mixer",
    "OnOutput",
    "OnProjections",
    "OnValues",
    "Product",
    "Products",
    "Spec",
    "SumOperator",
    "Support",
    "UnsupportedError",
    "UsageError",
    "__version__",
    "build_attention",
    "build_layer",
    "check_on_load",
    "expand_specs",
    "filters",
    "formula_flops",
    "full_precision",
    "lowest",
    "mixer_names",
    "names",
    "parse_spec",
    "register_attention",
    "register_filter",
    "register_mixer",
    "row_stochastic_factors",
    "zero_pads",
]

del _attentions
