"""The help text of a method: the same page that the documentation prints."""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe


@dataclass(frozen=True)
class MethodPage:
    key: str
    title: str
    text: str  # Markdown without the title

    @property
    def question(self) -> str:
        """The first paragraph below the title: what the method asks."""
        paragraphs = [part.strip() for part in self.text.split("\n\n")]
        return next((" ".join(part.split()) for part in paragraphs if part and not part.startswith("#")), "")

    def html(self, *, level: int = 2) -> SafeString:
        """As HTML, its headings from ``level`` on down."""
        import markdown

        text = "\n".join(
            f"{'#' * (level - 2)}{line}" if line.startswith("##") else line for line in self.text.split("\n")
        )
        return mark_safe(markdown.markdown(text, extensions=["tables", "fenced_code"]))  # noqa: S308 -- our own files


def folder() -> Path:
    return Path(settings.BASE_DIR) / "docs" / "methods"


@lru_cache(maxsize=512)
def method_page(key: str) -> str:
    """The Markdown of docs/methods/<key>.md, or an empty text where there is none."""
    safe = "".join(letter for letter in key if letter.isalnum() or letter in "_-")
    path = folder() / f"{safe}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@lru_cache(maxsize=512)
def read_method(key: str) -> MethodPage | None:
    text = method_page(key)
    if not text:
        return None
    first, _, rest = text.partition("\n")
    return MethodPage(key, first.lstrip("# ").strip(), rest.strip())


@cache
def all_methods() -> tuple[MethodPage, ...]:
    """Every method that has a page, by title."""
    keys = sorted(path.stem for path in folder().glob("*.md") if path.stem != "index")
    pages = (read_method(key) for key in keys)
    return tuple(sorted((page for page in pages if page), key=lambda page: page.title.lower()))
