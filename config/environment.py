"""Typed readers of the environment: a wrong value stops the start and says what is allowed."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def env_text(name: str, *, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_int(name: str, *, default: int, at_least: int) -> int:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        value = at_least - 1
    if value < at_least:
        raise ImproperlyConfigured(f"{name}={text!r}: give a whole number, {at_least} or more")
    return value


def env_flag(name: str, *, default: bool) -> bool:
    text = os.environ.get(name, "").lower()
    if text in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if not text else text in ("1", "true", "yes", "on")
    raise ImproperlyConfigured(f"{name}={text!r}: give 1 or 0")


def env_list(name: str, *, default: tuple[str, ...] = ()) -> list[str]:
    text = os.environ.get(name, "")
    return [part.strip() for part in text.split(",") if part.strip()] or list(default)


def env_path(name: str, *, default: Path) -> Path:
    text = os.environ.get(name, "")
    return Path(text).expanduser().resolve() if text else default
