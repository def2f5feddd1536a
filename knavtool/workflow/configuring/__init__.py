"""What Configure does to a cluster."""
