"""One run, from data to record: its config, its journal, its folder."""
