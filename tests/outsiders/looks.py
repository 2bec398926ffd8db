"""axe-core, with which tests/test_pages_are_fit_for_every_eye.py reads our pages as an accessibility auditor would."""

from tests.outsiders import node


def main() -> int:
    """0 when it is there."""
    node.installed(node.HERE / "looks")
    return 0
