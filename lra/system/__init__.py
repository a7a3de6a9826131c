"""What the operating system is asked for: whole files, locks, child processes, signals, memory."""
