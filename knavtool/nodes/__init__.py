"""Virtual nodes on a cluster: what differs from the values file, and making it so.

Belongs here: comparing, creating, changing, removing, listing nodes this tool made. Rendering belongs to `render`.
"""
