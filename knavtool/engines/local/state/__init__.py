"""What a local cluster keeps on the machine: files, its record, ports, entries in a kubeconfig."""
