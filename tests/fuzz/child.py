"""One target in a process of its own, which atheris ends as it likes: `child TARGET FOLDER -runs=…`."""

import sys
from importlib import import_module
from pathlib import Path

import atheris


def main(target: str, folder: Path, *options: str) -> None:
    """Fuzz, beginning with the target's own seeds. What libFuzzer finds, it writes into the folder."""
    with atheris.instrument_imports(include=["app", "sync"]):
        module = import_module(f"tests.fuzz.{target}")
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(module.SEEDS):
        (corpus / str(number)).write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in module.WORDS), "ascii")
    atheris.Setup([target, f"-dict={words}", f"-artifact_prefix={folder}/", *options, str(corpus)], module.attempt)
    atheris.Fuzz()


def escaped(word: bytes) -> str:
    """As a dictionary of libFuzzer's wants it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
