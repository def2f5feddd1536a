"""What tasks say about each other, resolved and checked before anything is rendered."""
