"""See command.py."""

from tests.simulation.command import run

if __name__ == "__main__":
    run()
