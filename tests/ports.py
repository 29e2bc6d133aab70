"""Ports for tests whose processes listen there themselves."""

import os
import socket
from contextlib import suppress


def free_port():
    """Below the ports that the system gives to connections, so that none has it in between."""
    for port in range(20_000 + os.getpid() % 5000, 30_000):
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return str(port)
    raise AssertionError("no free port from 20,000 to 29,999")
