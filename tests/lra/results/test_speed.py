"""Reading thousands of runs: the time of this process alone, whatever runs beside it."""

import time
from dataclasses import asdict

from benchmarks.tables import made_up, tabled, write
from lra.results.record import Record, read_records
from lra.typed import load


def seconds(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def test_two_hundred_runs_table_in_under_a_second(tmp_path):
    write(tmp_path, 200)
    taken, text = seconds(lambda: tabled(list(read_records(tmp_path))))
    assert text.count("| linear+gfsa") >= 1 and taken < 1.0


def test_ten_thousand_runs_are_read_in_under_five_seconds():
    """From memory, fifty records 200 times over: the disk is the machine's."""
    contents = [asdict(record) for record in made_up(50)]
    for content in contents:
        content["protocol"]["deviations"] = list(content["protocol"]["deviations"])
    taken, records = seconds(
        lambda: [load(Record, content) for _ in range(200) for content in contents]
    )
    assert len(records) == 10_000 and taken < 5.0
