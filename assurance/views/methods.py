"""How every number is computed: one page for each method, also the help that opens beside a number."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from assurance.services.method_pages import all_methods, read_method


@login_required
def methods(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").strip().lower()
    pages = [page for page in all_methods() if words in f"{page.key} {page.title} {page.question}".lower()]
    return render(request, "assurance/methods.html", {"pages": pages, "q": words})


@login_required
def method(request: HttpRequest, key: str) -> HttpResponse:
    page = read_method(key)
    if page is None:
        raise Http404(f"no method is called {key}")
    template = "assurance/_method.html" if request.htmx else "assurance/method.html"
    level = 3 if request.htmx else 2
    return render(request, template, {"page": page, "html": page.html(level=level)})
