"""The lineage as a picture: what was made from what, from left to right, and where it runs."""

from collections.abc import Iterable, Sequence

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.models import Deployment, ModelVersion

WIDTH, HEIGHT, ACROSS, DOWN = 216, 58, 70, 20


def lineage_picture(
    nodes: Sequence[tuple[ModelVersion, bool, Sequence[Deployment]]], *, marked: Iterable[int] = ()
) -> SafeString | str:
    """Boxes for versions in columns by their distance from the first base; deployments stand beside what they run.

    ``nodes`` holds (version, whether a base changed, its deployments); ``marked`` are the versions the page is about.
    """
    versions = {version.pk: version for version, _, _ in nodes}
    if not versions:
        return ""
    places = _places(nodes, versions)
    boxes, lines = [], []
    for version, changed, deployments in nodes:
        here = places[f"v{version.pk}"]
        boxes.append(_version_box(version, changed, here, current=version.pk in set(marked)))
        if version.base_id in versions:
            lines.append(_line(places[f"v{version.base_id}"], here))
        for deployment in deployments:
            boxes.append(_deployment_box(deployment, places[f"d{deployment.pk}"]))
            lines.append(_line(here, places[f"d{deployment.pk}"]))
    columns, most = (max(place[axis] for place in places.values()) + 1 for axis in (0, 1))
    width, height = columns * (WIDTH + ACROSS) - ACROSS + 4, most * (HEIGHT + DOWN) + 4
    return format_html(
        '<svg class="chart lineage" style="max-width:{}px" viewBox="0 0 {} {}" role="group" aria-label="Lineage: '
        'from base models to deployments">{}{}</svg>',
        width, width, height, _join(lines), _join(boxes),
    )  # fmt: skip


def _places(
    nodes: Sequence[tuple[ModelVersion, bool, Sequence[Deployment]]], versions: dict[int, ModelVersion]
) -> dict[str, tuple[int, int]]:
    """Column and row of each box. What comes of a box stands in the next column, in the order of what it comes of, so
    that no line crosses another or runs behind a box that it has nothing to do with."""
    running = {version.pk: [f"d{one.pk}" for one in deployments] for version, _, deployments in nodes}
    children: dict[int | None, list[int]] = {}
    for key, version in sorted(versions.items()):
        children.setdefault(version.base_id if version.base_id in versions else None, []).append(key)
    places: dict[str, tuple[int, int]] = {}
    layer, column = [f"v{key}" for key in children.get(None, [])], 0
    while layer:
        places |= {name: (column, row) for row, name in enumerate(layer)}
        keys = [int(name[1:]) for name in layer if name.startswith("v")]
        layer = [name for key in keys for name in [*(f"v{one}" for one in children.get(key, [])), *running[key]]]
        column += 1
    return places


def _version_box(version: ModelVersion, changed: bool, place: tuple[int, int], *, current: bool) -> SafeString:
    note = "! base changed" if changed else version.model.get_kind_display()
    return _box(
        reverse("assurance:version", args=[version.pk]), place, f"{version.model.name} {version.version}", note,
        f"{version.weights_sha256[:12]}", "changed" if changed else "current" if current else "",
    )  # fmt: skip


def _deployment_box(deployment: Deployment, place: tuple[int, int]) -> SafeString:
    address = reverse("monitoring:deployment", args=[deployment.slug])
    return _box(
        address, place, deployment.name, f"Deployment, {deployment.get_status_display().lower()}",
        deployment.organisation.name, "deployment",
    )  # fmt: skip


def _box(address: str, place: tuple[int, int], title: str, note: str, small: str, kind: str) -> SafeString:
    x, y = _corner(place)
    return format_html(
        '<a href="{}"><rect class="node {}" x="{}" y="{}" width="{}" height="{}" rx="7"/>'
        '<text class="node-title" x="{}" y="{}">{}</text><text x="{}" y="{}">{}</text>'
        '<text x="{}" y="{}">{}</text></a>',
        address, kind, x, y, WIDTH, HEIGHT, x + 11, y + 20, _short(title, 29), x + 11, y + 36, _short(note, 34),
        x + 11, y + 50, _short(small, 34),
    )  # fmt: skip


def _line(start: tuple[int, int], end: tuple[int, int]) -> SafeString:
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT // 2, y2 + HEIGHT // 2
    middle = (x1 + x2) // 2
    return format_html('<path class="axis" d="M{} {}C{} {} {} {} {} {}"/>', x1, y1, middle, y1, middle, y2, x2, y2)


def _corner(place: tuple[int, int]) -> tuple[int, int]:
    return 2 + place[0] * (WIDTH + ACROSS), 2 + place[1] * (HEIGHT + DOWN)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _join(parts: Sequence[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))
