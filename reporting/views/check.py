"""Anyone who is signed in may drop a dossier here and read what holds and what does not."""

import tempfile
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from records import keys
from reporting.dossier.verify import Unreadable
from reporting.signing import authority
from reporting.verification import verify_file

LARGEST = 512 * 2**20
TRUST_LARGEST = 64 * 2**10


@login_required
def verify(request: HttpRequest) -> HttpResponse:
    """The file is checked where it lands and thrown away; nothing of it is stored."""
    context: dict[str, object] = {
        "outcome": None,
        "refused": "",
        "own_key": keys.public_key_pem().decode(),
        "key_id": keys.key_id(),
    }
    if request.method == "POST":
        file, trust = request.FILES.get("file"), request.FILES.get("trust")
        try:
            if file is None:
                raise Unreadable("no file: choose a dossier's PDF or bundle")
            if file.size > LARGEST:
                raise Unreadable(
                    f"{file.name} has {file.size:,} bytes: at most {LARGEST:,} can be checked here, use verify.py"
                )
            if trust is not None and trust.size > TRUST_LARGEST:
                raise Unreadable(f"{trust.name} has {trust.size:,} bytes: a PEM has at most {TRUST_LARGEST:,}")
            pem = trust.read() if trust is not None else None
            if pem is None and request.POST.get("this_instance"):
                pem = keys.public_key_pem() + authority.root().certificate_pem
            suffix = ".pdf" if file.name.lower().endswith(".pdf") else ".zip"
            with tempfile.NamedTemporaryFile(suffix=suffix) as scratch:
                for part in file.chunks():
                    scratch.write(part)
                scratch.flush()
                context |= {"outcome": verify_file(Path(scratch.name), trust=pem), "name": file.name}
        except (Unreadable, ValueError, KeyError) as error:
            context["refused"] = str(error)
    return render(request, "reporting/verify.html", context)
