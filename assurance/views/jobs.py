"""Running and past background work, with live progress."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.models import Organisation, Person
from assurance import jobs
from assurance.models import Job


def visible_jobs(person: Person) -> "list[int]":
    """Organisations whose jobs ``person`` sees; the operator also sees the platform's own, which carry none."""
    memberships = person.memberships.current().select_related("organisation")
    return sorted({membership.organisation_id for membership in memberships})


def queryset(person: Person):  # type: ignore[no-untyped-def]
    organisations = visible_jobs(person)
    seen = Job.objects.filter(organisation_id__in=organisations)
    operator = Organisation.objects.filter(pk__in=organisations, kind=Organisation.Kind.OPERATOR).exists()
    return (seen | Job.objects.filter(organisation=None)) if operator else seen


@login_required
def job_list(request: HttpRequest) -> HttpResponse:
    """All jobs of the person's organisations; htmx asks for the rows alone every two seconds while some are open."""
    rows = queryset(request.user)
    status = request.GET.get("status", "")
    if status in Job.Status.values:
        rows = rows.filter(status=status)
    page = Paginator(rows, 40).get_page(request.GET.get("page"))
    open_jobs = queryset(request.user).filter(status__in=(Job.Status.QUEUED, Job.Status.RUNNING)).count()
    context = {"page": page, "status": status, "statuses": Job.Status.choices, "open_jobs": open_jobs}
    template = "assurance/job_rows.html" if request.htmx else "assurance/job_list.html"
    return render(request, template, context)


@login_required
@require_POST
def job_cancel(request: HttpRequest, job_id: str) -> HttpResponse:
    job = get_object_or_404(queryset(request.user), pk=job_id)
    if jobs.cancel(job):
        messages.success(request, f"{job.title} stops at its next step.")
    else:
        messages.warning(request, f"{job.title} had already ended.")
    return redirect("assurance:job_list")
