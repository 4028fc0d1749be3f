"""What a good team would write instead: FastAPI, asyncpg, orjson and one SQL statement a call."""
