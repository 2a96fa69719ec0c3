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
    """Boxes for versions in columns by their distance from the first base, then their deployments.

    ``nodes`` holds (version, whether a base changed, its deployments); ``marked`` are the versions the page is about.
    """
    versions = {version.pk: version for version, _, _ in nodes}
    if not versions:
        return ""
    depth = {key: _depth(version, versions) for key, version in versions.items()}
    last = max(depth.values()) + 1
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for key in sorted(versions, key=lambda one: (depth[one], one)):
        places[f"v{key}"] = (depth[key], rows.setdefault(depth[key], 0))
        rows[depth[key]] += 1
    boxes, lines = [], []
    for version, changed, deployments in nodes:
        boxes.append(_version_box(version, changed, places[f"v{version.pk}"], current=version.pk in set(marked)))
        if version.base_id in versions:
            lines.append(_line(places[f"v{version.base_id}"], places[f"v{version.pk}"]))
        for deployment in deployments:
            place = (last, rows.setdefault(last, 0))
            rows[last] += 1
            boxes.append(_deployment_box(deployment, place))
            lines.append(_line(places[f"v{version.pk}"], place))
    columns = max(rows) + 1
    width, height = columns * (WIDTH + ACROSS) - ACROSS + 4, max(rows.values()) * (HEIGHT + DOWN) + 4
    return format_html(
        '<svg class="chart lineage" style="max-width:{}px" viewBox="0 0 {} {}" role="group" aria-label="Lineage: '
        'from base models to deployments">{}{}</svg>',
        width, width, height, _join(lines), _join(boxes),
    )  # fmt: skip


def _depth(version: ModelVersion, known: dict[int, ModelVersion]) -> int:
    steps, base = 0, known.get(version.base_id or 0)
    while base is not None:
        steps, base = steps + 1, known.get(base.base_id or 0)
    return steps


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
