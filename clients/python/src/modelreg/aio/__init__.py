"""The registry for programs with asyncio.

What takes time here, serializing, hashing and files, runs in threads: the event loop stays free.
"""

from modelreg.aio.registry import AsyncModelRegistry

__all__ = ["AsyncModelRegistry"]
