"""`python -m modelreg` is the command `modelreg`."""

import sys

from modelreg.cli import main

if __name__ == "__main__":
    sys.exit(main())
