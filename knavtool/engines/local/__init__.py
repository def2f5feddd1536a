"""The local engine: a control plane of processes on 127.0.0.1, made by kwokctl's binary runtime.

`up` plans and does what is missing, `down` ends and removes everything, `status` tells what is there.
"""
