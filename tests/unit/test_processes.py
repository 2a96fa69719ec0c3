"""The compose file and ``vigil up`` must start the same programs, or what was tested is not what a hospital runs."""

from pathlib import Path

import yaml

from config.processes import all_processes

COMPOSE = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())


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
    text = (Path(__file__).parents[2] / "docker-compose.yml").read_text()
    for name in ("VIGIL_APP_PASSWORD", "VIGIL_OWNER_PASSWORD", "VIGIL_SECRET_KEY", "VIGIL_PSEUDONYM_KEY"):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text
