"""Promises, one file each; `python -m tests` keeps them all."""
