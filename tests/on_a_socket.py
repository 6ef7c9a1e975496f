"""An app on a real socket of this machine, for tests that leave the process or bring another program."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from driftdesk.backend.serving import Server


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The URL under which `app` answers, without a slash at its end, until the block ends."""
    server = Server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
