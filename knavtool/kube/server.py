"""An API server itself: which one it is, whether it serves, what was sent to it."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError, NotFound

if TYPE_CHECKING:
    from knavtool.kube.connection.transport import Transport
    from knavtool.kube.resource import Manifest


class Server:
    """The server of a client; counts are since the connection was opened."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.server_version = ""
        """What `version` said last."""

    @property
    def server(self) -> str:
        """The server's URL."""
        return self._transport.server

    @property
    def transport(self) -> Transport:
        """For what is not the API, but is reached through its server."""
        return self._transport

    @property
    def context(self) -> str:
        """The name of the kubeconfig context, empty inside a cluster."""
        return self._transport.context

    @property
    def requests(self) -> int:
        """How many requests were sent, retries included."""
        return self._transport.sent

    @property
    def retries(self) -> int:
        """How many requests were sent, or will be, because an earlier one failed; reopened watches included."""
        return self._transport.retries

    @property
    def qps(self) -> float:
        """How many requests per second are allowed; 0 means no limit."""
        return self._transport.limit.qps

    @property
    def last_failure(self) -> ClusterError | None:
        """Why the server did not serve the request that ended last, None if it did; a refusal is an answer."""
        return self._transport.last_failure

    def age(self, manifest: Manifest) -> float:
        created, date = manifest["metadata"].get("creationTimestamp"), self._transport.date
        if not created or not date:
            return 0.0
        return (parsedate_to_datetime(date) - datetime.fromisoformat(created)).total_seconds()

    async def version(self) -> str:
        """The server's version, for example `v1.37.2`; not retried, so that a wrong address is told at once."""
        try:
            answer = await self._transport.request("GET", "/version", "reach the API server", retry_timeout=0)
            self.server_version = str(answer["gitVersion"])
        except (NotFound, KeyError) as error:
            raise ClusterError(
                f"{self.server} answers, but it is no Kubernetes API server",
                hint="`kubectl config view` shows the address",
            ) from error
        return self.server_version

    async def ready(self) -> bool:
        """Whether the server says that it is ready to serve; False too when nothing answers."""
        try:
            await self._transport.request("GET", "/readyz", "ask for readiness", retry_timeout=0)
        except ClusterError:
            return False
        return True
