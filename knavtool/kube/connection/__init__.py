"""The way to an API server: kubeconfig and credentials, HTTP with retries, errors as what they are."""
