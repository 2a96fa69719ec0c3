"""Where one instance keeps its data, its sockets and its secrets. Known without any server running."""

import hashlib
import json
import os
import secrets
import tempfile
from functools import lru_cache
from pathlib import Path

from config.environment import env_path

BASE_DIR = Path(__file__).resolve().parent.parent


def home() -> Path:
    """``VIGIL_HOME``, or the project's folder: two instances side by side differ in nothing else."""
    return env_path("VIGIL_HOME", default=BASE_DIR)


def var(*parts: str) -> Path:
    return home().joinpath("var", *parts)


def socket_dir() -> Path:
    """A short folder for sockets: their paths may not exceed 107 bytes, whatever the length of ``VIGIL_HOME``."""
    digest = hashlib.sha256(str(var()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"vigil-{os.getuid()}-{digest}"


@lru_cache(maxsize=1)
def secrets_of(var_dir: Path) -> dict[str, str]:
    """Generated once for each instance, readable by its user alone; nothing secret has a default in the code."""
    path = var_dir / "secrets.json"
    if not path.exists():
        var_dir.mkdir(parents=True, exist_ok=True)
        names = ("django", "postgres_owner", "postgres_app", "pseudonym")
        fresh = {name: secrets.token_urlsafe(48) for name in names}
        scratch = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(fresh, file)
        try:
            os.link(scratch, path)  # the first of two starts wins, the other reads what it wrote
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return dict(json.loads(path.read_text()))


def secret(name: str) -> str:
    return secrets_of(var())[name]
