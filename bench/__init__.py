"""Benchmarks: each figure is a ratio against a bare loop in the same run. `make bench` runs them."""
