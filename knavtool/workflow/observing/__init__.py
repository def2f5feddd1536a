"""What a cluster tells about the objects and pods of a run: whose they are, where they are, why they are held."""
