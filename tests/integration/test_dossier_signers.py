"""Signers by configuration: a PKCS#12 file, a PKCS#11 token and an RFC 3161 time-stamp service, each really used."""

import hashlib
import os
import shutil
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from asn1crypto import keys as asn1_keys
from asn1crypto import tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from pyhanko.sign.timestamps.dummy_client import DummyTimeStamper

from assurance.evidence.errors import Unavailable
from reporting.dossier import contents as c
from reporting.dossier.assemble import assemble
from reporting.dossier.pdf.document import render
from reporting.signing import authority
from reporting.signing.check import certificates, check_signatures
from reporting.signing.pdf_signature import sign_pdf
from reporting.signing.signers import instance_signer, signer_of, time_stamper
from reporting.verification import verify_file
from tests.dossiers import sources
from tests.pdf_archive import preflight, remarks

NOW = datetime.now(UTC)
SOFTHSM = next(
    (p for p in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so")) if p.exists()),
    None,
)
needs_token = pytest.mark.skipif(
    SOFTHSM is None or not shutil.which("softhsm2-util"), reason="SoftHSM 2 is not installed (apt install softhsm2)"
)


@pytest.fixture(scope="module")
def unsigned():
    given, _ = sources(windows=1)
    frozen = c.freeze(assemble(given, salt="5a17"))
    return render(frozen, content_sha256=hashlib.sha256(frozen).hexdigest())


@pytest.fixture(autouse=True)
def key_folder(settings, tmp_path):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def house():
    """The authority of a hospital, and a signing identity under it."""
    root = authority._root(authority._name("Hospital Authority", "Example Hospital"))
    return root, authority.issue(common_name="Hospital Seal", organisation="Example Hospital", by=root)


def sealed(unsigned, **options):
    with instance_signer() as signer:
        return sign_pdf(
            unsigned,
            signer=signer,
            name="Seal",
            organisation="Example",
            meaning="Origin",
            at=NOW,
            **{"time_stamper": time_stamper(), **options},
        )


def pem_of(*roots):
    return b"".join(root.certificate_pem for root in roots)


def test_the_own_authority_is_the_default_and_the_signed_file_keeps_to_the_archive_rules(unsigned):
    signed = sealed(unsigned)
    (check,) = check_signatures(signed, trusted=certificates(authority.root().certificate_pem))
    assert (check.name, check.state) == ("Vigil instance seal", "ok") and "time-stamped" not in check.told
    assert remarks(signed) == []


def test_an_independent_validator_says_of_the_signed_file_what_it_says_of_the_unsigned(unsigned, tmp_path):
    assert preflight(sealed(unsigned), tmp_path) == preflight(unsigned, tmp_path)


def test_a_pkcs12_file_signs(unsigned, house, settings, tmp_path):
    root, seal = house
    path = tmp_path / "seal.p12"
    protected = serialization.BestAvailableEncryption(b"a pass phrase")
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(b"seal", seal.key, seal.certificate, [root.certificate], protected)
    )
    settings.SIGN_PKCS12, settings.SIGN_PKCS12_PASSWORD = str(path), "a pass phrase"
    signed = sealed(unsigned)
    (check,) = check_signatures(signed, trusted=certificates(root.certificate_pem))
    assert (check.name, check.state) == ("Hospital Seal", "ok")
    (check,) = check_signatures(signed, trusted=certificates(authority.root().certificate_pem))
    assert check.state == "failed" and "does not lead to a trusted one" in check.told
    for wrong in ({"SIGN_PKCS12_PASSWORD": "other"}, {"SIGN_PKCS12": str(tmp_path / "none.p12")}):
        for name, value in wrong.items():
            setattr(settings, name, value)
        with pytest.raises(Unavailable, match="VIGIL_SIGN_PKCS12"):
            sealed(unsigned)


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    """A SoftHSM token with one key. The module reads its configuration once a process, so once for all tests."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    root = authority._root(authority._name("Token Authority", "Example Hospital"))
    seal = authority.issue(common_name="Token Seal", organisation="Example Hospital", by=root)
    (folder / "key.pem").write_bytes(
        seal.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    tool = shutil.which("softhsm2-util")
    place = ["--token", "vigil", "--pin", "4711"]
    for step in (
        ["--init-token", "--free", "--label", "vigil", "--pin", "4711", "--so-pin", "0815"],
        ["--import", str(folder / "key.pem"), *place, "--label", "seal", "--id", "a1"],
    ):
        subprocess.run([tool, *step], check=True, capture_output=True)
    import pkcs11

    with pkcs11.lib(str(SOFTHSM)).get_token(token_label="vigil").open(rw=True, user_pin="4711") as session:
        session.create_object(
            {
                pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                pkcs11.Attribute.TOKEN: True,
                pkcs11.Attribute.LABEL: "seal",
                pkcs11.Attribute.ID: b"\xa1",
                pkcs11.Attribute.SUBJECT: asn1_x509.Certificate.load(der(seal.certificate)).subject.dump(),
                pkcs11.Attribute.VALUE: der(seal.certificate),
            }
        )
    return root


@pytest.fixture
def configured(token, settings):
    settings.SIGN_PKCS11_MODULE, settings.SIGN_PKCS11_TOKEN = str(SOFTHSM), "vigil"
    settings.SIGN_PKCS11_PIN, settings.SIGN_PKCS11_CERTIFICATE, settings.SIGN_PKCS11_KEY = "4711", "seal", "seal"
    return token


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


@needs_token
def test_a_pkcs11_token_signs_again_and_again(unsigned, configured):
    for _ in range(2):  # a second login of one process is refused while the first lasts
        (check,) = check_signatures(sealed(unsigned), trusted=certificates(configured.certificate_pem))
        assert (check.name, check.state) == ("Token Seal", "ok")


@needs_token
@pytest.mark.parametrize(
    "wrong", [{"SIGN_PKCS11_PIN": "0000"}, {"SIGN_PKCS11_TOKEN": "other"}, {"SIGN_PKCS11_MODULE": "/none.so"}]
)
def test_a_token_that_cannot_be_opened_is_said_in_a_sentence(unsigned, configured, settings, wrong):
    for name, value in wrong.items():
        setattr(settings, name, value)
    with pytest.raises(Unavailable, match="could not be opened"):
        sealed(unsigned)


@pytest.fixture
def service():
    """An RFC 3161 service on this machine: (URL, its root, the queries it had)."""
    root = authority._root(authority._name("Time Authority", "Example Time"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    builder = authority._builder(
        authority._name("Example Time Stamps", "Example Time"),
        root.certificate.subject,
        key,
        NOW - timedelta(days=900),
        NOW + timedelta(days=900),
    )
    builder = builder.add_extension(authority._usage(sign=True), critical=True).add_extension(
        x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
    )
    made = authority.Identity(key, builder.sign(root.key, hashes.SHA256()))
    stamper = DummyTimeStamper(
        asn1_x509.Certificate.load(der(made.certificate)),
        asn1_keys.PrivateKeyInfo.load(made.key_der),
        certs_to_embed=[asn1_x509.Certificate.load(der(root.certificate))],
    )
    queries = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self):
            query = tsp.TimeStampReq.load(self.rfile.read(int(self.headers["Content-Length"])))
            queries.append((self.headers["Content-Type"], query["message_imprint"]["hash_algorithm"].native))
            answer = stamper.request_tsa_response(query).dump()
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", root, queries, stamper
    server.shutdown()


def test_a_time_stamp_is_asked_for_and_checked(unsigned, service, settings, tmp_path):
    url, root, queries, _ = service
    settings.SIGN_TSA_URL = url
    signed = sealed(unsigned)
    assert queries and queries[-1][0] == "application/timestamp-query" and queries[-1][1]["algorithm"] == "sha256"
    both = pem_of(authority.root(), root)
    (check,) = check_signatures(signed, trusted=certificates(both))
    assert check.state == "ok" and "by Example Time Stamps" in check.told, check
    (check,) = check_signatures(signed, trusted=certificates(authority.root().certificate_pem))
    assert check.state == "ok" and "does not lead to a trusted certificate" in check.told
    path = tmp_path / "dossier.pdf"
    path.write_bytes(signed)
    outcome = verify_file(path, trust=both)
    assert outcome.holds and "time-stamped" in outcome.checks[-1]["told"]


def test_a_time_stamp_outlives_the_certificate_and_only_a_trusted_one_does(unsigned, service, settings):
    """Signed and stamped 200 days ago by a certificate that expired 30 days ago."""
    url, root, _, stamper = service
    settings.SIGN_TSA_URL = url
    stamper.fixed_dt = NOW - timedelta(days=200)
    old = authority.issue(
        common_name="Old Seal", organisation="x", start=NOW - timedelta(days=400), end=NOW - timedelta(days=30)
    )
    words = {"name": "Old Seal", "organisation": "x", "meaning": "Seal", "at": NOW}
    stamped = sign_pdf(unsigned, signer=signer_of(old), time_stamper=time_stamper(), **words)
    (check,) = check_signatures(stamped, trusted=certificates(pem_of(authority.root(), root)))
    assert check.state == "ok" and f"time-stamped {NOW - timedelta(days=200):%Y-%m-%d}" in check.told, check
    (check,) = check_signatures(stamped, trusted=certificates(authority.root().certificate_pem))
    assert check.state == "failed" and "the certificate expired" in check.told
    stamper.fixed_dt = NOW - timedelta(days=5)  # after the certificate had expired
    late = sign_pdf(unsigned, signer=signer_of(old), time_stamper=time_stamper(), **words)
    (check,) = check_signatures(late, trusted=certificates(pem_of(authority.root(), root)))
    assert check.state == "failed" and "the certificate expired" in check.told


def test_a_silent_time_stamp_service_is_tried_again_later(unsigned, settings):
    settings.SIGN_TSA_URL = "http://127.0.0.1:9/"
    with pytest.raises(Unavailable, match="time-stamp service"):
        sealed(unsigned)
