"""``python -m rtsim``."""

import sys

from rtsim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
