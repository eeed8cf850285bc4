"""`python -m service` is the command line, and starts the service when nothing else is asked for."""

import sys

from service.cli.main import main

if __name__ == "__main__":
    if len(sys.argv) == 1:
        sys.argv.append("serve")
    main()
