"""Where the programs of a local cluster come from: pins, and the sources that are tried in order.

`resolve.Toolchain` is the way in. Per program the first source that has it wins: an explicit path, PATH (the version is
checked), the cache, the official release (its sha256 is verified), `go build` from pinned modules.
"""
