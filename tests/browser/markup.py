"""Faults of a page's markup: what the HTML parser had to mend, and references that lead nowhere."""

from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import html5lib

REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "list", "form")


def faults(source: str) -> list[str]:
    """Each fault in one sentence; empty for a valid page. ``source`` is a whole HTML document."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
    tree = parser.parse(source)
    found = [f"line {place[0]}: {code} {details}" for place, code, details in parser.errors]
    return found + _references(tree) + _outline(tree)


def _references(tree: ElementTree.Element) -> list[str]:
    ids = Counter(element.get("id") for element in tree.iter() if element.get("id"))
    found = [f"id {name!r} stands {times} times" for name, times in ids.items() if times > 1]
    for element in tree.iter():
        for attribute in REFERENCES:
            found += [
                f"{element.tag} {attribute}={name!r} names nothing"
                for name in (element.get(attribute) or "").split()
                if name not in ids
            ]
        if element.tag == "img" and element.get("alt") is None:
            found.append(f"img {element.get('src', '')[:60]!r} has no alt text")
        if element.tag == "script" and element.get("src") is None and element.get("type") != "application/json":
            found.append("a script stands inside the page")
        found += [f"{element.tag} carries {name}" for name in element.attrib if name.startswith("on")]
    return found


def _outline(tree: ElementTree.Element) -> list[str]:
    levels = [int(element.tag[1]) for element in tree.iter() if element.tag in ("h1", "h2", "h3", "h4", "h5", "h6")]
    found = [] if levels.count(1) == 1 else [f"{levels.count(1)} first headings: a page has one"]
    found += [f"heading h{b} follows h{a}" for a, b in pairwise(levels) if b > a + 1]
    title = tree.find(".//title")
    if title is None or not (title.text or "").strip():
        found.append("the page has no title")
    html = tree if tree.tag == "html" else tree.find("html")
    if html is not None and not html.get("lang"):
        found.append("the page names no language")
    return found
