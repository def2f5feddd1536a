"""The real YAML language server, as editors use it."""
