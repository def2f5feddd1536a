"""Supervision of the host processes of components.

`keeper` is a program of its own that keeps one process running; `kept` starts, stops and asks keepers.
"""
