"""Layers for the viewer, and downloads of a map."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control

from assurance.evidence.errors import Refusal
from assurance.services.artefacts import read_artefact
from explainability.services import viewer_data
from explainability.services.case_inputs import fixed_of
from explainability.services.map_export import EXPORTS, export_map
from explainability.views.access import case_files, deployment_of, explanation_of


@login_required
@cache_control(private=True, max_age=300)
def case_layer(request: HttpRequest, slug: str, case: str, role: str) -> HttpResponse:
    """``image``; ``fixed``, the fixed volume of a registration; ``truth``, the reader's mask on either."""
    files = case_files(deployment_of(request, slug), case)
    if "image" not in files or role not in ("image", "fixed", "truth") or (role == "truth" and role not in files):
        raise Http404
    try:
        fixed = fixed_of(files["image"])
        if role == "fixed" and fixed is None:
            raise Http404
        if role == "image":
            return _layer(viewer_data.image_layer(viewer_data.case_image(files["image"])))
        image = fixed or viewer_data.case_image(files["image"])
        if role == "fixed":
            return _layer(viewer_data.image_layer(image))
        return _layer(viewer_data.mask_layer(viewer_data.truth_mask(files["truth"], image), image))
    except Refusal as refusal:
        return _refused(refusal)


@login_required
@cache_control(private=True, max_age=300)
def map_layer(request: HttpRequest, explanation_id: UUID, kind: str) -> HttpResponse:
    found = explanation_of(request, explanation_id)
    files = case_files(found.deployment, found.case)
    if "image" not in files or kind not in viewer_data.MAP_LAYERS:
        raise Http404
    try:
        layer = viewer_data.explanation_layer(found, files["image"], kind)
    except Refusal as refusal:
        return _refused(refusal)
    if layer is None:
        raise Http404
    return _layer(layer)


def _refused(refusal: Refusal) -> HttpResponse:
    return HttpResponse(refusal.message, status=422, content_type="text/plain; charset=utf-8")


@login_required
def download(request: HttpRequest, explanation_id: UUID, kind: str) -> HttpResponse:
    """``png`` the overlay, ``npz`` the map as stored, ``nifti`` on the image's grid, ``dicom`` as a DICOM object."""
    found = explanation_of(request, explanation_id)
    if found.map_file is None or found.overlay is None or kind not in EXPORTS:
        raise Http404
    name = f"{found.case[:12]}-{found.method}{EXPORTS[kind].ending}"
    if kind == "png":
        content = read_artefact(found.overlay)
    elif kind == "npz":
        content = read_artefact(found.map_file)
    else:
        content = export_map(found, kind)
    answer = HttpResponse(content, content_type=EXPORTS[kind].media_type)
    answer["Content-Disposition"] = f'{"inline" if kind == "png" else "attachment"}; filename="{name}"'
    return answer


def _layer(layer: viewer_data.Layer) -> HttpResponse:
    answer = HttpResponse(layer.content, content_type="application/octet-stream")
    for name, value in layer.headers().items():
        answer[name] = value
    return answer
