"""What a pickle would import, found by reading its instructions and following none."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

HARMLESS = ("torch", "collections", "numpy", "_codecs")
LARGEST_PICKLE = 64 * 2**20


def pickle_names(data: bytes) -> tuple[str, ...]:
    """The names that a pickle would import, found by reading its instructions, not by following them."""
    names: list[str] = []
    strings: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "GLOBAL":
                names.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL" and len(strings) >= 2:
                names.append(f"{strings[-2]}.{strings[-1]}")
            elif "UNICODE" in code.name or code.name in ("STRING", "BINSTRING", "SHORT_BINSTRING"):
                strings.append(str(argument))
    except (ValueError, IndexError, UnicodeDecodeError, EOFError, KeyError):
        pass  # a torn or foreign tail: what was found so far still stands
    return tuple(dict.fromkeys(names))


def foreign_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that a file of tensors has no need of."""
    return tuple(name for name in names if name.partition(".")[0] not in HARMLESS)


def names_in_file(path: Path) -> tuple[str, ...]:
    """Names of a bare pickle, or of the one inside an archive of torch."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            inner = [entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
            return pickle_names(archive.read(inner[0])) if inner and inner[0].file_size < LARGEST_PICKLE else ()
    with path.open("rb") as file:
        return pickle_names(file.read(LARGEST_PICKLE))
