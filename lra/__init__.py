"""Long Range Arena: its tasks, trained and measured for every attention under one protocol."""
