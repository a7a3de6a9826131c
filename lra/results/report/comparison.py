"""What runs may be compared with outside of the page: one answer for its head and each run."""

from collections.abc import Sequence

from lra.results.captions import comparable_with
from lra.results.comparable import Recorded, column, conditions
from lra.results.published import Published
from lra.results.summary import Group, accuracy_groups
from lra.results.tables.published import agreeing

NOT = "not comparable"


class Comparison:
    """Runs in groups whose accuracies may be compared, and which published tables each may stand
    beside, as the table of published figures decides it."""

    def __init__(self, records: Sequence[Recorded], published: Sequence[Published]) -> None:
        self.groups = accuracy_groups(records)
        self._texts = {
            (group.conditions, group.column): _with_tables(group, published)
            for group in self.groups
        }

    def __getitem__(self, record: Recorded) -> str:
        return self._texts[conditions(record), column(record)]


def _with_tables(group: Group, published: Sequence[Published]) -> str:
    usual = comparable_with(group.first)
    reason = agreeing(group, published).reason
    if usual.startswith(NOT) or reason is None:
        return usual
    return f"{NOT} with published tables: {reason}"
