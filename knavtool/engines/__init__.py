"""Where a control plane comes from: one package per engine."""
