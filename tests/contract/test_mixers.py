"""Every mixer under the kit that others use for theirs."""

import pytest

from attention_zoo import mixer_names
from attention_zoo.testing import MIXER_CHECKS, verdict


@pytest.mark.parametrize("name", mixer_names())
@pytest.mark.parametrize("check", MIXER_CHECKS)
def test_mixer(check, name):
    found = verdict(check, name)
    assert found.outcome != "fails", found.detail


@pytest.mark.parametrize("name", mixer_names())
@pytest.mark.parametrize("check", ["reference", "packed", "poison"])
def test_with_a_remedy_on_its_output(check, name):
    found = verdict(check, f"{name}+layerscale")
    assert found.outcome != "fails", found.detail
