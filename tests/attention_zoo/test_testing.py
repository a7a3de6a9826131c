"""The kit finds what is wrong: each mutant of `linear` fails the check that is about its defect."""

from typing import ClassVar

import pytest

from attention_zoo import UsageError
from attention_zoo.attentions.linear import Linear
from attention_zoo.registry import ATTENTIONS
from attention_zoo.testing import CHECKS, Case, undeclared, variants, verdict

from .misbehaved import Chunked
from .mutants import FOUND_WITH_OTHERS, MUTANTS, BatchMates, Leak


@pytest.fixture(autouse=True)
def forget_afterwards(monkeypatch):
    monkeypatch.setattr(ATTENTIONS, "entries", dict(ATTENTIONS.entries))


@pytest.mark.parametrize(
    ("mutant", "check"), [(mutant, check) for check in MUTANTS for mutant in MUTANTS[check]]
)
def test_a_mutant_is_found(mutant, check):
    ATTENTIONS.register("mutant")(mutant)
    found = verdict(check, "mutant")
    assert found.outcome == "fails" and found.detail.startswith(("mutant: ", "mutant (causal): "))


def test_there_is_a_mutant_for_each_check():
    assert set(MUTANTS) | FOUND_WITH_OTHERS == set(CHECKS)


def test_what_moves_more_than_it_holds_is_judged_by_what_it_holds():
    ATTENTIONS.register("chunked")(Chunked)
    assert verdict("growth", "chunked").outcome == "holds"


def test_a_failure_names_the_input_that_shows_it():
    ATTENTIONS.register("mutant")(Leak)
    detail = verdict("reference", "mutant").detail
    assert detail.endswith("; Case(N=7, lengths=(7, 4, 1))")
    assert "dense()[" in detail and " is " in detail and ", not " in detail
    case = eval(detail[detail.index("Case(") :])
    assert case == Case(7, (7, 4, 1)) and case.tensors()[0].shape == (3, 2, 7, 8)


class Excused(BatchMates):
    exceptions: ClassVar = {"amount": "it looks at the whole batch"}


class Excessive(Linear):
    exceptions: ClassVar = {"amount": "no reason"}
    check_also = ()

    def __init__(self, *, heads, head_dim, max_len, option: int = 0):
        super().__init__(heads=heads, head_dim=head_dim, max_len=max_len)


class Raising(Linear):
    exceptions: ClassVar = {"amount": "it looks at the whole batch"}

    def operator(self, q, k, keep):
        raise SystemExit(0)


@pytest.mark.parametrize("given", [{"amuont": "a typing error"}, {"amount": ""}])
def test_an_exception_names_a_check_and_a_reason(given):
    class Mistyped(Linear):
        exceptions = given

    ATTENTIONS.register("mistyped")(Mistyped)
    with pytest.raises(UsageError, match=r"did you mean 'amount'|needs a reason"):
        undeclared("mistyped")


def test_an_exception_covers_what_a_check_finds_and_fails_once_it_is_not_needed():
    ATTENTIONS.register("mutant")(Excused)
    found = verdict("amount", "mutant")
    assert found.outcome == "excepted" and found.detail.startswith("it looks at the whole batch (")
    ATTENTIONS.register("excessive")(Excessive)
    found = verdict("amount", "excessive")
    assert found.outcome == "fails" and "no longer needed: no reason" in found.detail
    assert verdict("amount", "excessive:option=1").outcome == "holds"


def test_an_error_is_no_exception_and_says_where_and_with_what():
    ATTENTIONS.register("raising")(Raising)
    found = verdict("amount", "raising")
    assert found.outcome == "fails"
    assert "SystemExit: 0 (at " in found.detail and "test_testing.py:" in found.detail
    assert found.detail.endswith("Case(N=17, lengths=(17, 9, 1)))")


def test_variants_are_the_options_an_attention_is_also_checked_with():
    names = ["performer", "performer:features=12,logit_scale=0.3", "performer:features=64"]
    assert variants("performer")[:3] == names
    assert variants("performer+gfsa:K=4")[1] == "performer:features=12,logit_scale=0.3+gfsa:K=4"
    assert variants("performer:features=7") == ["performer:features=7"]
