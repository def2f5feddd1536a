"""What a run needs of its cluster, asked before the first task: kinds, rights, free names."""
