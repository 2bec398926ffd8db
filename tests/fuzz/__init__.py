"""Input that machines invent: coverage-guided bytes (atheris) and whole conversations (schemathesis)."""
