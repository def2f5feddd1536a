"""What people and programs read about a run: folds of the one stream of events.

A view here takes events and writes to a stream or file that `cli` hands in. Nothing here decides what a run does.
"""
