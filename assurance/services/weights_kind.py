"""What a weights file is, told from its bytes before anything opens it: tensors are kept, code is refused."""

import pickletools
import zipfile
from pathlib import Path

from assurance.evidence.errors import InvalidInput

LARGEST_INDEX_BYTES = 64 * 2**20
PLAIN = {("collections", "OrderedDict"), ("torch", "Size"), ("torch", "device")}
PLAIN_MAKERS = {
    "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_parameter_with_state",
    "_rebuild_qtensor", "_rebuild_sparse_tensor",
}  # fmt: skip


def refuse_pickles(path: Path) -> None:
    """Refuse a file that could run code when it is opened.

    Safetensors, ONNX and TorchScript pass, and so does an archive of ``torch.save`` whose index names nothing but
    tensors and their storages. The index is read opcode by opcode and never executed.

    Raises
    ------
    InvalidInput
        ``no_weights`` (no such file), ``pickle`` (a bare pickle, or an index that names code), ``not_readable``.
    """
    if not path.is_file():
        raise InvalidInput("no_weights", f"{path} is not a file: give the path of a weights file")
    with path.open("rb") as file:
        start = file.read(16)
    if _is_safetensors(start, path.stat().st_size):
        return
    if zipfile.is_zipfile(path):
        _check_archive(path)
    elif start[:1] == b"\x80" or (start[:1] in b"(ci}]" and path.suffix in {".pkl", ".pickle", ".pt", ".pth", ".bin"}):
        raise InvalidInput("pickle", f"{path.name} is a pickle, which can run code: save it as safetensors")


def _is_safetensors(start: bytes, size: int) -> bool:
    """Eight bytes of length, then a JSON header that begins with a brace and ends within the file."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= size - 8


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        script = any("/code/" in name for name in archive.namelist())
        for entry in archive.infolist():
            if not entry.filename.endswith((".pkl", ".pickle")) or script:
                continue
            if entry.file_size > LARGEST_INDEX_BYTES:
                raise InvalidInput("not_readable", f"the index of {path.name} has {entry.file_size} bytes: too large")
            try:
                named = _names(archive.read(entry))
            except (ValueError, zipfile.BadZipFile) as error:
                raise InvalidInput("not_readable", f"{path.name} has no readable index: {error}") from error
            strange = sorted(f"{module}.{name}" for module, name in named if not _plain(module, name))
            if strange:
                raise InvalidInput(
                    "pickle", f"{path.name} is a pickle that names {', '.join(strange[:3])}: save it as safetensors"
                )


def _names(index: bytes) -> set[tuple[str, str]]:
    found = set()
    for opcode, argument, _ in pickletools.genops(index):
        if opcode.name in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
            found.add((module, name))
        elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            found.add(("an address", "made while it is read"))  # torch.save writes no such opcode
    return found


def _plain(module: str, name: str) -> bool:
    if (module, name) in PLAIN or (module == "torch._utils" and name in PLAIN_MAKERS):
        return True
    dtypes = ("float", "int", "uint", "bool", "bfloat16", "complex", "half", "double", "long")
    return module in ("torch", "torch.storage") and (name.endswith("Storage") or name.startswith(dtypes))
