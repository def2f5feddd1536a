"""A server of HTTP on loopback, in a thread of its own."""

from __future__ import annotations

import http.server
import threading


class Loopback:
    """Serves with a handler on a free port until it is closed."""

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        """Serve nobody any more."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
