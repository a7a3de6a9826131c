"""Writes the golden tables."""

from tests.lra.results.golden import HERE, texts

for name, text in texts().items():
    (HERE / name).write_text(text, encoding="utf-8")
