"""What a run did, remembered before each request, and undone by the cleanup."""
