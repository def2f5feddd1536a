"""Certificates with which host processes serve webhooks on 127.0.0.1.

A cluster has one authority key, in `pki/webhooks/`. Every component has a certificate of that authority, with names of
its own, and a pair that it signed. All authority certificates of a cluster have the same key and subject.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from knavtool.atomic import atomic_write
from knavtool.engines.local.pki.pair import Pair

if TYPE_CHECKING:
    from collections.abc import Collection

    from knavtool.engines.local.state.layout import ClusterFiles

# Components are prepared in threads, and the first of them makes the key for all.
_KEY = threading.Lock()


def serving_pair(
    files: ClusterFiles,
    name: str,
    *,
    dns_names: Collection[str] = (),
    authority_names: Collection[str] = (),
    authority_key: bool = False,
) -> Pair:
    """The pair of a component, in `components/NAME/certs`; made once, and again if other names are wanted.

    The server's certificate is valid for 127.0.0.1, localhost and `dns_names`, that of the authority for
    `authority_names`: controllers that renew their certificates want to find their own name there. `authority_key`
    puts the authority's key beside them, in PKCS#1 ("BEGIN RSA PRIVATE KEY"), the only form such controllers read.
    """
    # Its package takes long to load, and a cluster without webhooks needs none of it.
    from knavtool.engines.local.pki import authority

    secret = files.pki / "webhooks" / "ca.key"
    secret.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _KEY:
        key = authority.load(secret)
        if key is None:
            key = authority.generate()
            atomic_write(secret, authority.pkcs1(key))
    pair = Pair(files.directory / "components" / name / "certs")
    pair.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = authority.Names(server=frozenset({"localhost", *dns_names}), authority=frozenset(authority_names))
    if authority.names(pair, key) != wanted:
        certificate = authority.sign(key, f"{files.context} webhooks", wanted)
        atomic_write(pair.authority, certificate.authority)
        atomic_write(pair.certificate, certificate.certificate)
        atomic_write(pair.key, certificate.key)
    if authority_key:
        atomic_write(pair.authority_key, authority.pkcs1(key))
    else:
        pair.authority_key.unlink(missing_ok=True)
    return pair
