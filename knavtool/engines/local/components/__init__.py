"""Components on the local engine: their processes beside the control plane, and their objects in it."""
