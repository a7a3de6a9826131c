"""The contract of attentions and mixers, as a kit: what each of the zoo is held to, and yours.

from attention_zoo.testing import CHECKS, verdict

@pytest.mark.parametrize("check", CHECKS)
def test_mine(check):
    found = verdict(check, "mine")
    assert found.outcome != "fails", found.detail
"""

from attention_zoo.testing.cases import Case, CheckFailed
from attention_zoo.testing.contract import (
    CHECKS,
    MIXER_CHECKS,
    Verdict,
    checks,
    undeclared,
    variants,
    verdict,
)

__all__ = [
    "CHECKS",
    "MIXER_CHECKS",
    "Case",
    "CheckFailed",
    "Verdict",
    "checks",
    "undeclared",
    "variants",
    "verdict",
]
