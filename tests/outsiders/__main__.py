"""`python -m tests.outsiders lint`: no finding in openapi.json. `clients`: generated ones sync. `looks`: installs what
reads our pages as an auditor would. `lock`: newer tools.
"""

import sys
from importlib import import_module

COMMANDS = {"lint": "lint:main", "clients": "clients:main", "looks": "looks:main", "lock": "node:lock"}

if __name__ == "__main__":
    known = len(sys.argv) == 2 and sys.argv[1] in COMMANDS
    if not known:
        sys.exit(f"python -m tests.outsiders {'|'.join(COMMANDS)}")
    # Only what the command needs: the linters need nothing of the server.
    module, function = COMMANDS[sys.argv[1]].split(":")
    sys.exit(getattr(import_module(f"tests.outsiders.{module}"), function)())
