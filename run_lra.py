"""Long Range Arena from the command line: `python run_lra.py --help`."""

import sys

from lra.cli import main

if __name__ == "__main__":
    sys.exit(main())
