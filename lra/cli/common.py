"""What several commands do."""

import os
import sys

from attention_zoo.registry import load_plugin


def import_plugins(modules: list[str]) -> None:
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for module in modules:
        load_plugin(module)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
