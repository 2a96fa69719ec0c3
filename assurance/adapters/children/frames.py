"""The child's end of :mod:`assurance.adapters.sandbox`. Imports nothing of the application."""

import json
import os
import resource
import struct
import sys
import traceback

MOST_FILES = 1024
LARGEST_FILE = 8 * 2**30


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def limited(memory_bytes):
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = min(MOST_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def serve(answers):
    """Answer questions until the pipe closes; ``answers`` maps a question to ``function(settings, arrays)``.

    A function returns ``(facts, arrays)``. What it prints goes to stderr, so that it cannot break a frame.
    """
    limited(int(sys.argv[1]))
    sys.path[:0] = sys.argv[2:]
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from safetensors.numpy import load, save

    while head := source.read(16):
        head_size, body_size = struct.unpack("<QQ", head)
        question = json.loads(source.read(head_size))
        arrays = load(source.read(body_size))
        facts, out = {}, {}
        try:
            facts, out = answers[question["what"]](question["settings"], arrays)
        except Refused as refused:
            facts = {"refused": {"code": refused.code, "message": refused.message}}
        except Exception as error:
            traceback.print_exc()
            short = isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error)
            code = "out_of_memory" if short else "sandbox_refused"
            text = str(error).strip().splitlines()
            facts = {"refused": {"code": code, "message": f"{type(error).__name__}: {text[-1][:400] if text else ''}"}}
        reply, body = json.dumps(facts).encode(), save(out)
        sink.write(struct.pack("<QQ", len(reply), len(body)) + reply + body)
        sink.flush()
