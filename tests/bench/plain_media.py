"""`python -m tests.bench.plain_media PORT FOLDER`: the plain server that media are measured beside.

It writes a body to a file as it comes, and sends a file; it looks at nothing, and checks nobody.
"""

import asyncio
import sys
from pathlib import Path
from uuid import uuid4

from aiohttp import web


async def serve(port: int, folder: Path) -> None:
    """Serve until killed."""

    async def upload(request: web.Request) -> web.Response:
        path = folder / uuid4().hex
        with path.open("wb") as file:
            async for piece in request.content.iter_chunked(1 << 20):
                await asyncio.to_thread(file.write, piece)
        path.unlink()
        return web.Response(text="ok")

    app = web.Application(client_max_size=1 << 30)
    app.add_routes([web.post("/upload", upload), web.static("/files", folder)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
