"""Clusters, runs and their recordings as objects: what `bench`, tests and other programs are built from."""
