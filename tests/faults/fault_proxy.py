"""An HTTP proxy before an S3 server that spoils some requests, as networks and busy stores do.

    python -m tests.faults.fault_proxy --upstream PORT --rate 0.05 --log FILE --seed 1

It prints the port it listens on. Requests are passed on byte by byte, so that signatures hold. A spoilt request is

* ``500`` or ``503``: answered so, and not passed on;
* ``slow``: passed on after a second or two;
* ``reset``: its connection is reset before it is passed on;
* ``lost``: it is carried out, and its connection reset instead of an answer, so that nobody knows whether it was;
* ``cut``: it is carried out, and the connection reset in the middle of the answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

KINDS = ("500", "503", "slow", "reset", "lost", "cut")
_REFUSALS = {"500": ("Internal Server Error", "InternalError"), "503": ("Slow Down", "SlowDown")}
_PIECE = 1 << 16


class Spoilt(Exception):
    """The client's connection has to be reset."""


class Proxy:
    """Passes requests on to a server on loopback, and spoils some.

    Args:
        upstream: port of the server.
        rate: share of requests that are spoilt.
        seed: decides which and how.
        log: gets a line for each spoilt request, and its number among all.
    """

    def __init__(self, upstream: int, rate: float, seed: int, log: Path) -> None:
        self.upstream, self.rate, self.log = upstream, rate, log
        self.random = random.Random(seed)
        self.requests = 0

    def fate(self, line: str) -> str | None:
        self.requests += 1
        if self.random.random() >= self.rate:
            return None
        kind = self.random.choice(KINDS)
        with self.log.open("a") as out:
            out.write(json.dumps({"kind": kind, "request": line.split("?")[0], "number": self.requests}) + "\n")
        return kind

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection: its requests, one after the other."""
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        try:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except (asyncio.IncompleteReadError, ConnectionError):
                    return
                line, fields = parsed_head(head)
                kind = self.fate(line)
                if fields.get("expect", "").lower() == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    head = b"\r\n".join(x for x in head.split(b"\r\n") if not x.lower().startswith(b"expect:"))
                if kind == "reset":
                    raise Spoilt
                if kind in _REFUSALS:
                    async for _ in body_pieces(reader, fields):
                        pass
                    writer.write(_refusal(kind))
                    await writer.drain()
                    continue
                if kind == "slow":
                    await asyncio.sleep(self.random.uniform(0.5, 2.0))
                if server is None or server[0].at_eof() or server[1].is_closing():
                    server = await asyncio.open_connection("127.0.0.1", self.upstream, limit=1 << 20)
                server[1].write(head)
                async for piece in body_pieces(reader, fields):
                    server[1].write(piece)
                    await server[1].drain()
                await self._answer(line.split(" ")[0], server[0], writer, kind)
        except (Spoilt, ConnectionError, asyncio.IncompleteReadError):
            reset_connection(writer)
        finally:
            for one in (writer, server[1] if server else None):
                if one is not None:
                    with contextlib.suppress(Exception):
                        one.close()

    async def _answer(
        self, method: str, server: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str | None
    ) -> None:
        head = await server.readuntil(b"\r\n\r\n")
        line, fields = parsed_head(head)
        if kind == "lost":
            raise Spoilt
        status = line.split(" ")[1]
        if kind == "cut":
            writer.write(head[: len(head) // 2])
            await writer.drain()
            raise Spoilt
        writer.write(head)
        if method != "HEAD" and status not in ("204", "304"):
            async for piece in body_pieces(server, fields):
                writer.write(piece)
                await writer.drain()
        await writer.drain()


def parsed_head(head: bytes) -> tuple[str, dict[str, str]]:
    line, *rest = head.decode("latin-1").split("\r\n")
    fields = dict(x.split(":", 1) for x in rest if ":" in x)
    return line, {name.lower(): value.strip() for name, value in fields.items()}


async def body_pieces(reader: asyncio.StreamReader, fields: dict[str, str]) -> AsyncIterator[bytes]:
    """The pieces of a body, as they came."""
    if fields.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = await reader.readuntil(b"\r\n")
            piece = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
            yield size + piece
            if int(size.split(b";")[0], 16) == 0:
                return
    left = int(fields.get("content-length", "0"))
    while left:
        piece = await reader.readexactly(min(left, _PIECE))
        left -= len(piece)
        yield piece


def _refusal(kind: str) -> bytes:
    said, code = _REFUSALS[kind]
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{said}</Message></Error>".encode()
    head = f"HTTP/1.1 {kind} {said}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def reset_connection(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def start_proxy(upstream: int, rate: float, seed: int, log: Path) -> tuple[subprocess.Popen[str], str]:
    """Start a proxy in a process of its own; returns it and its URL. End it with ``kill``."""
    command = [sys.executable, "-m", "tests.faults.fault_proxy", "--upstream", str(upstream), "--rate", str(rate)]
    process = subprocess.Popen(
        [*command, "--seed", str(seed), "--log", str(log)],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        port = said.readline().strip()
    assert port.isdigit(), "the proxy did not start"
    return process, f"http://127.0.0.1:{port}"


async def _main(arguments: argparse.Namespace) -> None:
    proxy = Proxy(arguments.upstream, arguments.rate, arguments.seed, arguments.log)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 20, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", type=Path, required=True)
    asyncio.run(_main(parser.parse_args()))
