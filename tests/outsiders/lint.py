"""Spectral with OWASP's rules, and Redocly, over openapi.json: no finding is left, each rule that is off says why."""

import subprocess
from pathlib import Path

from tests.outsiders import node

DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"
RULES = node.HERE / "lint"


def main() -> int:
    """0 when neither linter finds anything, be it a hint."""
    commands = node.installed(RULES)
    try:
        node.run(
            [commands / "spectral", "lint", str(DOCUMENT), "--ruleset", ".spectral.yaml", "--fail-severity", "hint"],
            RULES,
        )
        node.run([commands / "redocly", "lint", str(DOCUMENT), "--config", "redocly.yaml"], RULES)
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    return 0
