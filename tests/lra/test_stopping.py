"""Commands that a signal asks to stop say so in one line."""

import os
import signal

import pytest

from attention_zoo import testing
from lra.cli import main
from lra.cli.measure import bench
from lra.data import obtain


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        (obtain, "obtain", ["prepare", "--task", "listops", "--protocol", "quick"]),
        (testing, "variants", ["check", "linear"]),
        (bench, "machine_of", ["measure", "--attn", "linear", "--accelerator", "cpu"]),
    ],
)
def test_every_long_command_stops_with_one_line(module, name, words, monkeypatch, capsys, tmp_path):
    def stop(*_):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(module, name, stop)
    monkeypatch.chdir(tmp_path)
    # What a test does not obey must not end the tests.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        assert main(words) == 128 + signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "error" in line or "stopped" in line] == [
        "run_lra.py: error: stopped; nothing is left half done"
    ]
