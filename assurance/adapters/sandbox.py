"""A child process for models that are code: no network where the system allows it, limits, a deadline.

Kept in it: TorchScript and torch.export programs, and checkouts of published code that a user supplies. The child gets
an empty environment, a scratch folder, limits on memory, file size and open files, and namespaces of its own: no
network, no other process, and the instance's sockets and secrets covered. It talks over two pipes in frames of JSON
and safetensors, so nothing it sends can run here.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from assurance.evidence.errors import InvalidInput, NotComputable

CHILDREN = Path(__file__).parent / "children"
LARGEST_ANSWER = 4 * 2**30
Arrays = Mapping[str, NDArray[Any]]


NAMESPACES = (
    ("whole", ("--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")),
    ("network", ("--user", "--map-root-user", "--net")),
)


@functools.cache
def isolation() -> str:
    """How far this system lets a process without privileges be parted from the rest.

    ``whole``: no network, no sight of other processes, the instance's sockets and secrets covered. ``network``: no
    network. ``none``: limits and an empty environment only.
    """
    unshare = shutil.which("unshare")
    for name, options in NAMESPACES if unshare else ():
        if subprocess.run([str(unshare), *options, "true"], capture_output=True, check=False).returncode == 0:
            return name
    return "none"


def parted(command: list[str], *, level: str) -> list[str]:
    """``command`` in its own namespaces. A cover that cannot be laid ends the child before it runs."""
    if level == "none":
        return command
    start = [str(shutil.which("unshare")), *dict(NAMESPACES)[level]]
    if level == "network":
        return [*start, *command]
    home = Path(os.environ.get("VIGIL_HOME", CHILDREN.parents[2]))
    covers = [f"mount -t tmpfs none {shlex.quote(str(folder))}" for folder in _socket_folders()]
    covers += [
        f"mount --bind /dev/null {shlex.quote(str(file))}"
        for file in (home / "var" / "secrets.json",)
        if file.is_file()
    ]
    return [*start, "sh", "-ec", "; ".join([*covers, 'exec "$@"']), "sh", *command]


def _socket_folders() -> list[Path]:
    """Folders in the temporary directory with the sockets of an instance's database and broker."""
    return sorted(folder for folder in Path(tempfile.gettempdir()).glob(f"vigil-{os.getuid()}-*") if folder.is_dir())


class Sandbox:
    """One child running ``children/<program>.py`` until it is closed, fails or misses a deadline.

    Parameters
    ----------
    paths : folders that the child may import from (a user's checkout).
    memory_bytes, timeout_s : the limits of one call; the child ends when it breaks either.
    """

    def __init__(
        self, program: str, *, setup: Mapping[str, Any], paths: tuple[Path, ...] = (),
        memory_bytes: int = 16 * 2**30, timeout_s: float = 600.0,
    ) -> None:  # fmt: skip
        self.program, self.timeout_s = program, timeout_s
        self.scratch = Path(tempfile.mkdtemp(prefix="vigil-sandbox-"))
        command = [sys.executable, "-I", "-B", str(CHILDREN / f"{program}.py"), str(memory_bytes), *map(str, paths)]
        self.isolation = isolation()
        command = parted(command, level=self.isolation)
        environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(self.scratch), "TMPDIR": str(self.scratch),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"), "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg",
            "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        }  # fmt: skip
        self.errors = (self.scratch / "stderr").open("wb")
        self.process = subprocess.Popen(
            command, cwd=self.scratch, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, start_new_session=True,
        )  # fmt: skip
        self._stdin, self._stdout = cast(IO[bytes], self.process.stdin), cast(IO[bytes], self.process.stdout)
        self._finalizer = weakref.finalize(self, _end, self.process, self.scratch)
        try:
            self.facts, _ = self.call("setup", dict(setup), {})
        except Exception:
            self.close()
            raise

    def call(
        self, what: str, settings: Mapping[str, Any], arrays: Arrays
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Send one question and wait for its answer.

        Raises
        ------
        InvalidInput
            ``sandbox_refused``: what the program itself refuses, in its words.
        NotComputable
            ``timeout``, ``out_of_memory``, ``sandbox_ended`` with the last line that the child wrote.
        """
        deadline = time.monotonic() + self.timeout_s
        body = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        head = json.dumps({"what": what, "settings": settings}).encode()
        try:
            self._stdin.write(struct.pack("<QQ", len(head), len(body)) + head + body)
            self._stdin.flush()
            head_size, body_size = struct.unpack("<QQ", self._read(16, deadline))
            if head_size + body_size > LARGEST_ANSWER:
                raise NotComputable("sandbox_ended", f"{self.program} answered with {head_size + body_size} bytes")
            answer = json.loads(self._read(head_size, deadline))
            arrays_back = load(self._read(body_size, deadline))
        except (BrokenPipeError, EOFError):
            raise self._ended() from None
        if "refused" in answer:
            code, message = answer["refused"]["code"], answer["refused"]["message"]
            raise (NotComputable if code == "out_of_memory" else InvalidInput)(code, message)
        return answer, arrays_back

    def _read(self, size: int, deadline: float) -> bytes:
        out = bytearray()
        descriptor = self._stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while len(out) < size:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    self.close()
                    raise NotComputable(
                        "timeout", f"{self.program} gave no answer within {self.timeout_s:g} s: it was ended"
                    )
                part = os.read(descriptor, min(size - len(out), 2**20))
                if not part:
                    raise EOFError
                out += part
        return bytes(out)

    def _ended(self) -> NotComputable:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        lines = [line for line in (self.scratch / "stderr").read_text(errors="replace").splitlines() if line.strip()]
        last = lines[-1][:300] if lines else f"exit status {self.process.returncode}"
        self.close()
        if "MemoryError" in last or "allocate memory" in last:
            return NotComputable("out_of_memory", f"{self.program} ran out of its memory limit")
        return NotComputable("sandbox_ended", f"{self.program} ended without an answer: {last}")

    def close(self) -> None:
        self.errors.close()
        self._finalizer()


def _end(process: subprocess.Popen[bytes], scratch: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    shutil.rmtree(scratch, ignore_errors=True)
