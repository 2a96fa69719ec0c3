"""``vigil receive DEPLOYMENT``: a DICOM listener (C-STORE, C-ECHO). It runs only while this command runs."""

import io
import signal
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from accounts.row_security import seeing
from assurance.evidence.errors import InvalidInput, Refusal
from assurance.models import Deployment
from monitoring.management.commands.ingest import find_deployment
from monitoring.services.dicom_door import accept_objects

SUCCESS, WARNING, REFUSED, CANNOT, NO_MATCH = 0x0000, 0xB007, 0xA700, 0xC000, 0xA900


class Command(BaseCommand):
    help = "Listen for DICOM objects of a deployment (C-STORE) until Ctrl-C. Nothing listens unless this runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deployment", help="slug or id of the deployment")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=11112)
        parser.add_argument("--ae-title", default="VIGIL")
        parser.add_argument(
            "--peer", action="append", default=[], help="AE title that may send; several times for more"
        )
        parser.add_argument("--site", default="", help="the site's code, where the deployment has several")

    def handle(self, *args: Any, **options: Any) -> None:
        deployment = find_deployment(options["deployment"])
        codes = list(deployment.sites.values_list("code", flat=True))
        if options["site"] and options["site"] not in codes:
            raise CommandError(f"site {options['site']!r} is not one of {', '.join(codes)}", returncode=2)
        if len(codes) > 1 and not options["site"]:
            raise CommandError(f"give --site, one of {', '.join(codes)}", returncode=2)
        try:
            server = listen(
                deployment, host=options["host"], port=options["port"], ae_title=options["ae_title"],
                peers=options["peer"], site=options["site"],
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise CommandError(
                f"cannot listen on {options['host']}:{options['port']}: {error}", returncode=2
            ) from error
        self.stderr.write(f"{options['ae_title']} listens on {options['host']}:{options['port']} for {deployment}")

        def stop(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        try:
            signal.pause()
        except KeyboardInterrupt:
            server.shutdown()
            self.stderr.write("stopped")


def listen(
    deployment: Deployment, *, host: str, port: int, ae_title: str = "VIGIL", peers: list[str] | None = None,
    site: str = "",
) -> Any:  # fmt: skip
    """Start the listener in threads of its own; ``shutdown()`` of what comes back ends it."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt
    from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

    def store(event: Any) -> int:
        return keep(deployment, event.encoded_dataset(), site=site)

    entity = AE(ae_title=ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = list(peers or [])
    entity.maximum_pdu_size = 2**18
    entity.network_timeout, entity.acse_timeout, entity.dimse_timeout = 60, 30, 60
    entity.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(str(context.abstract_syntax), TRANSFER_SYNTAXES)
    return entity.start_server((host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])


TRANSFER_SYNTAXES = [
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
]  # fmt: skip


def keep(deployment: Deployment, content: bytes, *, site: str = "") -> int:
    """Take one object in; the DIMSE status that answers for it."""
    close_old_connections()
    try:
        with seeing([deployment.organisation_id]):
            outcome = accept_objects(deployment, [io.BytesIO(content)], site=site)
    except InvalidInput:
        return CANNOT
    except Refusal:
        return REFUSED
    except OSError:
        return REFUSED
    finally:
        close_old_connections()
    if outcome.failed:
        code = outcome.failed[0][1].code
        return CANNOT if code in ("not_dicom", "damaged", "too_deep") else NO_MATCH
    return WARNING if any(part.reading.defects for part in outcome.stored) else SUCCESS
