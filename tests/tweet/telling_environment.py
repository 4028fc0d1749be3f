"""Stands in for an inspection: tells what such a process is given."""

import os
import sys

if __name__ == "__main__":
    sys.stdout.write(" ".join(sorted(os.environ)))
    sys.exit(3)
