"""YAML in: users' files with the line and column of everything, checked by JSON schema, as frozen models.

Belongs here: reading, checking shapes and single values, saying where something is wrong. Does not belong here: what a
document means together with others (`workflow.plan`) or on a cluster.
"""
