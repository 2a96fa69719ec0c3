"""Called by mkdocs: writes the table of all methods where ``docs/methods/index.md`` asks for it."""

from pathlib import Path
from typing import Any

PLACE = "<!-- table of methods -->"


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    if PLACE not in markdown:
        return markdown
    return markdown.replace(PLACE, table(Path(config["docs_dir"]) / "methods"))


def table(folder: Path) -> str:
    """One row for each page of the folder: title, question, key."""
    rows = []
    for path in sorted(folder.glob("*.md")):
        if path.stem == "index":
            continue
        title, question = read(path.read_text(encoding="utf-8"))
        rows.append((title, f"| [{title}]({path.name}) | {question} | `{path.stem}` |"))
    rows.sort(key=lambda row: row[0].lower())
    return "\n".join(["| method | question | key |", "| --- | --- | --- |", *(row for _, row in rows)])


def read(text: str) -> tuple[str, str]:
    """The title, and the first paragraph below it that is no heading."""
    title, _, rest = text.partition("\n")
    paragraphs = (" ".join(part.split()) for part in rest.split("\n\n"))
    question = next((part for part in paragraphs if part and not part.startswith("#")), "")
    return title.lstrip("# ").strip(), question.replace("|", "\\|")
