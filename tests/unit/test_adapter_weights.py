"""Weights are data: what is refused at the door, and what ``vigil model check`` says of a file."""

import io
import json
import os
import pickle
import zipfile
from types import SimpleNamespace

import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import save_file

from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.digests import file_sha256, folder_sha256
from assurance.adapters.inspection import inspect
from assurance.adapters.pickles import pickle_names
from assurance.adapters.weights_files import read_state_dict, without_prefix
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.services.weights import keep_weights, weights_path
from tests.small_models import MAKERS


class Runs:
    """What a harmful checkpoint would do when it is read."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


def hostile(path):
    torch.save({"weight": torch.zeros(2), "extra": Runs()}, path)
    return path


def test_a_pickle_with_code_is_refused_by_the_name_that_it_asks_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in (hostile(tmp_path / "a.pth"), tmp_path / "b.pkl"):
        if path.suffix == ".pkl":
            path.write_bytes(pickle.dumps(Runs()))
        with pytest.raises(InvalidInput, match="system") as refusal:
            read_state_dict(path)
        assert refusal.value.code == "unsafe_weights"
    assert not (tmp_path / "harmed").exists()


def test_checking_a_pickle_names_what_it_asks_for_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = inspect(hostile(tmp_path / "a.pth"))
    assert report.kind == "pickle"
    assert report.adapter == ""
    assert any(name.endswith(".system") for name in report.asks_for)
    assert "safetensors" in report.reason
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_names_of_a_pickle_are_found_in_every_protocol(protocol):
    assert any(name.endswith(".system") for name in pickle_names(pickle.dumps(Runs(), protocol=protocol)))
    assert pickle_names(pickle.dumps({"a": [1, 2.5, "posix system"]}, protocol=protocol)) == ()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 torn", b"\x80\x02torn"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_no_weights_is_refused(content, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        read_state_dict(path)


def test_weights_are_known_by_their_hash(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(3)}, path)
    assert torch.equal(read_state_dict(path, sha256=file_sha256(path))["a"], torch.ones(3))
    with pytest.raises(InvalidInput, match="expected 000000000000") as refusal:
        read_state_dict(path, sha256="0" * 64)
    assert refusal.value.code == "other_weights"


def test_the_hash_of_a_folder_knows_names_and_contents(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    first = folder_sha256(tmp_path)
    (tmp_path / "vigil-weights.json").write_text("{}")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "c")
    renamed = folder_sha256(tmp_path)
    (tmp_path / "c").write_text("other")
    assert len({first, renamed, folder_sha256(tmp_path)}) == 3


@pytest.mark.parametrize("key", ["ddpm-classconditional", "monai-unet"])
def test_kept_weights_load_by_the_hash_that_names_them(key, tmp_path, settings):
    settings.WEIGHTS_DIR = tmp_path / "kept"
    example = MAKERS[key](tmp_path)
    sha256 = keep_weights(example.weights)
    assert keep_weights(example.weights) == sha256
    path = weights_path(SimpleNamespace(weights_sha256=sha256))
    assert path.parent == tmp_path / "kept"
    assert ADAPTERS.load(key)(path, sha256=sha256).weights_sha256 == sha256


@pytest.mark.parametrize("name", ["model", "state_dict", "ema"])
def test_wrapped_state_dicts_are_unwrapped(name, tmp_path):
    torch.save({name: {"module.a": torch.ones(3)}, "epoch": 4}, tmp_path / "x.pth")
    assert list(without_prefix(read_state_dict(tmp_path / "x.pth"))) == ["a"]


@pytest.mark.parametrize("key", [key for key in MAKERS if key not in ("minim", "difftumor")])
def test_checking_finds_the_adapter_of_its_official_layout(key, tmp_path):
    example = MAKERS[key](tmp_path)
    report = inspect(example.weights)
    assert report.adapter == key, report
    assert report.reason
    assert json.dumps(report.as_dict())


@pytest.mark.parametrize("key", ["minim", "difftumor"])
def test_checking_finds_the_adapter_of_a_folder(key, tmp_path):
    assert inspect(MAKERS[key](tmp_path).weights).adapter == key


def test_checking_counts_tensors_and_parameters(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a.weight": torch.ones(3, 4), "a.running_mean": torch.ones(4), "a.bias": torch.ones(3)}, path)
    report = inspect(path)
    assert (report.n_tensors, report.n_parameters, report.n_bytes) == (3, 15, path.stat().st_size)
    assert report.sha256 == file_sha256(path)
    assert "no adapter knows" in report.reason


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 20, "HDF5"),
        ("a.bin", b"hello world, no weights", "unknown"),
        ("a.pkl", pickle.dumps({"a": 1}), "pickle"),
        ("a.zip", None, "zip"),
    ],
)
def test_other_containers_are_told_by_their_first_bytes(name, content, kind, tmp_path):
    if content is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("readme.txt", "hello")
        content = buffer.getvalue()
    (tmp_path / name).write_bytes(content)
    report = inspect(tmp_path / name)
    assert (report.kind, report.adapter) == (kind, "")


def test_the_command_prints_one_document_and_refuses_in_one_sentence(tmp_path, capsys):
    example = MAKERS["meshnet"](tmp_path)
    call_command("model", "check", str(example.weights), "--load", "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["adapter"] == "meshnet"
    assert document["loaded"]["classes"] == ["background", "white matter", "grey matter"]
    assert document["loaded"]["weights_sha256"] == document["sha256"]
    with pytest.raises(CommandError, match="neither a file nor a folder") as refusal:
        call_command("model", "check", str(tmp_path / "nothing"))
    assert refusal.value.returncode == 2


def test_a_missing_extra_is_one_sentence_with_its_command(monkeypatch, tmp_path):
    import sys

    example = MAKERS["ddpm-classconditional"](tmp_path)
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(Unavailable, match=r"pip install 'vigil\[diffusion\]'") as refusal:
        ADAPTERS.load("ddpm-classconditional")(example.weights)
    assert refusal.value.code == "extra_missing"
