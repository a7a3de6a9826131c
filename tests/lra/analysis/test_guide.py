"""What docs/analysis.md says can be typed."""

import re

from gfsa import analysis as library
from lra.cli.analyze import parser
from lra.system.environment import ROOT


def test_what_the_guide_says_can_be_typed(capsys):
    guide = (ROOT / "docs" / "analysis.md").read_text()
    exec(re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1], {})
    assert capsys.readouterr().out.count("tensor") == 4
    options = {option for action in parser()._actions for option in action.option_strings}
    assert set(re.findall(r"^\| `(--[\w-]+)", guide, re.MULTILINE)) <= options
    for name in re.findall(r"`(\w+)`", guide[guide.index("| file |") :]):
        assert name in ("keep", "response") or hasattr(library, name), name
