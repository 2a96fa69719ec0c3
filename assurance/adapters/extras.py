"""Libraries that only some adapters need: imported when such a model is loaded, missed in one sentence."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from assurance.evidence.errors import Unavailable


def needed(module: str, *, extra: str) -> Any:
    """The imported ``module``.

    Raises
    ------
    Unavailable
        ``extra_missing``: names the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise Unavailable(
            "extra_missing", f"this model needs {package} ({error}): run pip install 'vigil[{extra}]'"
        ) from error
