"""Local clusters: where a control plane comes from, what runs in it, and which processes it is made of."""
