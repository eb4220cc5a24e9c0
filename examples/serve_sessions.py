"""Serve sentiment sessions over TCP: a connection sends text in any pieces and gets a JSON line for each word.

A client that begins with ``RESUME name`` and a line break continues the session of that name, even after a restart:
states are files of a few kilobytes. Only this machine can connect.
"""

import argparse
import asyncio
import json
from pathlib import Path

import suite
from suite.codecs.parsing import END_OF_ITEM

MAX_NAME = 64


class Server:
    """One session a connection, all over one model."""

    def __init__(self, states: Path) -> None:
        self.pipeline = suite.pipeline("sentiment")
        self.states = states

    def state_file(self, name: str) -> Path:
        """Where the session of that name is kept. Raises ValueError for what is no plain name."""
        if not name.isalnum() or len(name) > MAX_NAME:
            raise ValueError("a session's name has letters and digits")
        return self.states / f"{name}.session"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a connection to its end."""
        name, first = "", await reader.readline()
        if first.startswith(b"RESUME "):
            name, first = first[7:].decode().strip(), b""
        file = self.state_file(name) if name else None
        saved = file.read_bytes() if file and file.exists() else None
        session = suite.stream(self.pipeline, state=saved)
        parser = self.pipeline.task.stream_parser()
        block = first
        while True:
            for piece in parser.feed(block):
                if piece is END_OF_ITEM:
                    continue
                for update in session.feed(piece):
                    writer.write(json.dumps(update.to_dict()).encode() + b"\n")
            await writer.drain()
            block = await reader.read(65536)
            if not block:
                break
        if file:
            file.write_bytes(session.dumps())
        elif session.steps or session.pending:
            writer.write(json.dumps(session.finish().to_dict()).encode() + b"\n")
        writer.close()
        await writer.wait_closed()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--states", type=Path, default=Path("sessions"))
    arguments = parser.parse_args()
    arguments.states.mkdir(exist_ok=True)
    server = await asyncio.start_server(Server(arguments.states).handle, "127.0.0.1", arguments.port)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
