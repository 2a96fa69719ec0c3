"""The compose file and ``vigil up`` must start the same programs, or what was tested is not what a hospital runs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from config.processes import all_processes

ROOT = Path(__file__).parents[2]
SECRETS = ("VIGIL_APP_PASSWORD", "VIGIL_OWNER_PASSWORD", "VIGIL_SECRET_KEY", "VIGIL_PSEUDONYM_KEY")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_starts_exactly_the_commands_of_up(monkeypatch):
    monkeypatch.setenv("VIGIL_HOST", "0.0.0.0")  # noqa: S104 -- inside a container
    monkeypatch.setenv("VIGIL_PORT", "8000")
    for process in all_processes():
        assert COMPOSE["services"][process.name]["command"] == list(process.arguments)


def test_every_long_running_service_has_a_health_check():
    for name in (
        "postgres",
        "valkey",
        "web",
        "worker-ingest",
        "worker-statistics",
        "worker-inference",
        "worker-reports",
    ):
        assert COMPOSE["services"][name]["healthcheck"]["test"]


def test_no_password_has_a_default():
    text = (ROOT / "docker-compose.yml").read_text()
    for name in SECRETS:
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text


def test_compose_itself_takes_the_file_with_its_secrets_and_refuses_it_without():
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if shutil.which(program[0]) is None or subprocess.run([*program, "version"], capture_output=True).returncode:
        pytest.skip("needs docker compose (no engine): Debian has it as docker-compose")
    bare = {name: value for name, value in os.environ.items() if name not in SECRETS}
    given = bare | dict.fromkeys(SECRETS, "a-secret")
    answers = [
        subprocess.run([*program, "config", "--quiet"], cwd=ROOT, env=environment, capture_output=True, text=True)
        for environment in (given, bare)
    ]
    assert answers[0].returncode == 0, answers[0].stderr
    assert answers[1].returncode != 0
    assert "set it" in answers[1].stderr


def test_files_that_compose_mounts_are_there():
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).is_file(), source
