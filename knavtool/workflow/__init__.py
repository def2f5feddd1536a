"""Workflows: plan, render, execute, undo.

What belongs here: the meaning of workflow files. What does not: how a file is read (`documents`), how text becomes
objects (`render`), how the API is spoken to (`kube`), what is shown (`report`, `cli`).
"""
