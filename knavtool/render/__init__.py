"""The one manifest-rendering layer: documents in, manifests out.

Pure and deterministic; imports neither the API client nor the cluster. Charts and Go templates are rendered by Helm's
own engine, so that what works there works here.
"""
