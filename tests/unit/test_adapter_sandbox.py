"""The child process for programs and checkouts: what it cannot do, and that its answers are right."""

import os
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from assurance.adapters import programs, sandbox
from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description
from assurance.adapters.sandbox import Sandbox, isolation
from assurance.evidence.errors import InvalidInput, NotComputable
from tests.small_models import CLASSIFIER, classifier, described, plane, torchscript

PROBE = """
import os, socket, sys, time
from pathlib import Path
sys.path.insert(0, {children!r})
import numpy as np
from frames import Refused, serve


def setup(settings, arrays):
    return {{"environment": sorted(os.environ), "folder": os.getcwd(), "path": sys.path[:2]}}, {{}}


def ask(settings, arrays):
    do = settings["do"]
    if do == "connect":
        with socket.create_connection(("127.0.0.1", settings["port"]), timeout=5):
            return {{"connected": True}}, {{}}
    if do == "look":
        found = {{name: os.path.isfile(name) and os.path.getsize(name) for name in settings["files"]}}
        found["processes"] = sum(name.isdigit() for name in os.listdir("/proc"))
        return found, {{}}
    if do == "sleep":
        time.sleep(60)
    if do == "fill":
        return {{}}, {{"much": np.ones(settings["bytes"], dtype=np.uint8)}}
    if do == "die":
        sys.stderr.write("the last words\\n")
        sys.stderr.flush()
        os._exit(3)
    if do == "print":
        print("this must not break a frame")
    if do == "refuse":
        raise Refused("bad_thing", "thing 3: give 1 or 2")
    return {{"did": do}}, {{name: array * 2 for name, array in arrays.items()}}


serve({{"setup": setup, "ask": ask}})
"""


@pytest.fixture()
def probe(tmp_path, monkeypatch):
    """A sandbox that runs the program above; ``probe(**limits)`` starts one."""
    (tmp_path / "probe.py").write_text(PROBE.format(children=str(sandbox.CHILDREN)))
    monkeypatch.setattr(sandbox, "CHILDREN", tmp_path)
    monkeypatch.setenv("VIGIL_SECRET", "hidden")
    started = []

    def start(**options):
        started.append(Sandbox("probe", setup={}, **options))
        return started[-1]

    yield start
    for child in started:
        child.close()


def test_arrays_go_there_and_back_whatever_it_prints(probe):
    child = probe()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.arange(3)[::-1]}
    for do in ("print", "double"):
        facts, back = child.call("ask", {"do": do}, arrays)
        assert facts == {"did": do}
        assert np.array_equal(back["a"], arrays["a"] * 2)
        assert np.array_equal(back["b"], arrays["b"] * 2)


def test_it_gets_no_secret_and_a_scratch_folder_that_goes_away(probe):
    child = probe()
    assert "VIGIL_SECRET" not in child.facts["environment"]
    assert not [name for name in child.facts["environment"] if "DATABASE" in name or "TOKEN" in name]
    folder = Path(child.facts["folder"])
    assert folder.is_dir()
    child.close()
    assert not folder.exists()
    assert child.process.poll() is not None


def test_it_has_no_network(probe):
    if isolation() == "none":
        pytest.skip("this system lets a process without privileges have no network namespace")
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    heard = []
    threading.Thread(target=lambda: heard.append(server.accept()), daemon=True).start()
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass  # from here it answers
    with pytest.raises(InvalidInput, match=r"refused|unreachable|Network"):
        probe().call("ask", {"do": "connect", "port": port}, {})
    server.close()


def test_it_sees_no_socket_no_secret_and_no_other_process(probe, tmp_path, monkeypatch):
    if isolation() != "whole":
        pytest.skip("this system lets a process without privileges have no mount and process namespaces")
    monkeypatch.setattr(sandbox.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("VIGIL_HOME", str(tmp_path / "home"))
    covered = [tmp_path / f"vigil-{os.getuid()}-abc" / "valkey.sock", tmp_path / "home" / "var" / "secrets.json"]
    seen = tmp_path / "weights.bin"
    for path in (*covered, seen):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("something")
    facts, _ = probe().call("ask", {"do": "look", "files": [str(path) for path in (*covered, seen)]}, {})
    assert not any(facts[str(path)] for path in covered)
    assert facts[str(seen)] == 9
    assert facts["processes"] <= 3
    assert all(path.read_text() == "something" for path in covered)


def test_a_deadline_ends_it(probe):
    child = probe(timeout_s=2.0)
    with pytest.raises(NotComputable, match="within 2 s") as outcome:
        child.call("ask", {"do": "sleep"}, {})
    assert outcome.value.code == "timeout"
    assert child.process.poll() is not None


def test_its_memory_is_limited(probe):
    child = probe(memory_bytes=2 * 2**30)
    with pytest.raises(NotComputable) as outcome:
        child.call("ask", {"do": "fill", "bytes": 3 * 2**30}, {})
    assert outcome.value.code == "out_of_memory"
    assert child.call("ask", {"do": "double"}, {})[0] == {"did": "double"}


def test_a_child_that_dies_leaves_its_last_words(probe):
    child = probe()
    with pytest.raises(NotComputable, match="the last words") as outcome:
        child.call("ask", {"do": "die"}, {})
    assert outcome.value.code == "sandbox_ended"


def test_its_refusal_comes_through_as_one(probe):
    with pytest.raises(InvalidInput, match="give 1 or 2") as refusal:
        probe().call("ask", {"do": "refuse"}, {})
    assert refusal.value.code == "bad_thing"


def test_a_program_gives_the_outputs_and_gradients_of_its_network(tmp_path):
    model = programs.load_torchscript(torchscript(tmp_path).weights)
    network = classifier()
    there, here = (model.prepare(plane()).requires_grad_(True) for _ in range(2))
    outputs = model.forward(there), network(here)
    gradients = (
        torch.autograd.grad(output[0, 1], inputs)[0] for output, inputs in zip(outputs, (there, here), strict=True)
    )
    assert torch.allclose(*outputs, atol=1e-6)
    assert torch.allclose(*gradients, atol=1e-7)
    model.child.close()


def test_what_is_no_program_is_refused(tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(b"PK\x03\x04 torn")
    described(path, **CLASSIFIER)
    with pytest.raises(InvalidInput, match=r"x\.pt is no torchscript program") as refusal:
        programs.load_torchscript(path)
    assert refusal.value.code == "other_model"


def test_a_program_with_nan_weights_is_refused(tmp_path):
    network = classifier()
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = float("nan")
    torch.jit.trace(network, torch.rand(1, 1, 16, 16), check_trace=False).save(str(tmp_path / "x.pt"))
    described(tmp_path / "x.pt", **CLASSIFIER)
    with pytest.raises(InvalidInput) as refusal:
        programs.load_torchscript(tmp_path / "x.pt")
    assert refusal.value.code == "broken_weights"


def test_a_network_with_other_classes_than_described_is_refused():
    description = Description(**{**CLASSIFIER, "classes": ("a", "b", "c"), "size": (16, 16)})
    model = DescribedModel(classifier(), description, weights_sha256="0" * 64)
    with pytest.raises(InvalidInput, match="gives 2 outputs, its description names 3"):
        model.predict(plane())
