"""The help text of a method: the same page that the documentation prints."""

from functools import lru_cache

from django.conf import settings


@lru_cache(maxsize=256)
def method_page(key: str) -> str:
    """The Markdown of docs/methods/<key>.md, or an empty text where there is none."""
    safe = "".join(letter for letter in key if letter.isalnum() or letter in "_-")
    path = settings.BASE_DIR / "docs" / "methods" / f"{safe}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
