"""The Kubernetes API: the only package that imports the Kubernetes client.

Belongs here: verbs on objects of any kind, watching, waiting, retrying, finding the cluster. Does not belong here:
what an object means. `kubernetes.aio` reads the kubeconfig, authenticates and sets up TLS; requests are raw JSON.
"""
