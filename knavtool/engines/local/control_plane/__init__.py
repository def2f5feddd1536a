"""The control plane: kwokctl starts it, with settings that make it fast, and it is waited for until it works."""
