"""The command line: one file per command.

This is the only place that prints, exits, reads the environment and calls `asyncio.run`. Each command body is a visible
run of stages; what takes long to import is imported inside the body, so that `--help` stays fast.
"""
