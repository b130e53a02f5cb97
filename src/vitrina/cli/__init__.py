"""The command line: one file per command, and what commands share (options, the log, the config file, where they may write, consoles).

Strings become classes here and nowhere else. `--help` imports nothing heavy: a command imports what it needs when it runs.
"""
