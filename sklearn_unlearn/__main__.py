"""The command line: ``python -m sklearn_unlearn``."""

import sys

from sklearn_unlearn.store.command_line import main

if __name__ == "__main__":
    sys.exit(main())
