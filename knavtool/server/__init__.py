"""Runs over HTTP: a server that queues and executes workflows on one cluster, and its client.

Here is what HTTP needs and nothing else: a run itself is that of `workflow`, its events and reports are the same.
"""
