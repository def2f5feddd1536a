"""Metrics of a cluster for Prometheus: its nodes and pods, followed by list and watch and folded into numbers."""
