"""One workload on several schedulers, versions or settings: what is run, how it is kept, and what it says."""
