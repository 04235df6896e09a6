"""Messages between our own processes: a JSON header and opaque blobs over a stream socket.

For example `send(sock, {"op": "task", "chunk": 3}, [payload])`. No process unpickles what a message carries unless it
means to run user code: the client only ever forwards blobs.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

Header = dict[str, Any]
"""Plain JSON values only."""
Blob = bytes | bytearray | memoryview

_PREFIX = struct.Struct("<QQ")
_LENGTH = struct.Struct("<Q")
_JOINED_BYTES = 1 << 16
"""Below this a message goes out in one call; above it, copying the blobs together would cost more than a second call."""


def send(sock: socket.socket, header: Header, blobs: Sequence[Blob] = ()) -> None:
    """Write one message; blocks until the kernel has taken all of it."""
    head = json.dumps(header).encode()
    sizes = b"".join(_LENGTH.pack(len(blob)) for blob in blobs)
    first = _PREFIX.pack(len(head), len(blobs)) + sizes + head
    if sum(map(len, blobs)) <= _JOINED_BYTES:
        sock.sendall(b"".join((first, *blobs)))
        return
    sock.sendall(first)
    for blob in blobs:
        sock.sendall(blob)


def receive(sock: socket.socket) -> tuple[Header, list[bytes]]:
    """Read one message.

    Raises:
        EOFError: the other side closed its end.
    """
    head_bytes, blob_count = _PREFIX.unpack(_read(sock, _PREFIX.size))
    sizes = [size for (size,) in _LENGTH.iter_unpack(_read(sock, _LENGTH.size * blob_count))]
    header = json.loads(_read(sock, head_bytes))
    return header, [_read(sock, size) for size in sizes]


def _read(sock: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    got = 0
    while got < size:
        count = sock.recv_into(view[got:])
        if not count:
            raise EOFError
        got += count
    return bytes(buffer)
