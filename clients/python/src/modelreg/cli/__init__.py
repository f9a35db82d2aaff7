"""The command line, `modelreg`."""

from modelreg.cli.main import main

__all__ = ["main"]
