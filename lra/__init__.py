"""Long Range Arena: its tasks, trained and measured for every attention under one protocol."""

import gfsa as _gfsa  # registers its filter, also where entry points do not: in a plain checkout

del _gfsa
