"""The certificate authority of a local cluster, and the certificates that it signs."""
