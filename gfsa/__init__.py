"""Graph-filter self-attention on any attention operator, its controls and other remedies against
oversmoothing; importing this registers them all for specs."""

from gfsa.filters import *  # noqa: F403
from gfsa.filters import __all__ as _filters
from gfsa.remedies import *  # noqa: F403
from gfsa.remedies import __all__ as _remedies

__all__ = [*_filters, *_remedies]
