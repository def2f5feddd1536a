"""Test Kubernetes batch and AI schedulers on GPU clusters you do not have."""

__version__ = "0.1.0"
