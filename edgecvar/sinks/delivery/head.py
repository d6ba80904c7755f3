"""The head of an HTTP message, within a time that no trickle of bytes draws out."""

from __future__ import annotations

import socket
import time

LONGEST = 1 << 16


def read_head(connection: socket.socket, seconds: float, longest: int = LONGEST) -> bytes:
    """What comes up to the empty line that ends a head, and what came with it.

    Raises TimeoutError, ConnectionError where the other side ends before, ValueError beyond `longest` bytes.
    """
    end, head = time.monotonic() + seconds, b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        if len(head) > longest:
            raise ValueError(f"a head of more than {longest} bytes")
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left)
        part = connection.recv(4096)
        if not part:
            raise ConnectionError("closed without an answer")
        head += part
    return head
