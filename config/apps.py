from django.apps import AppConfig


class VigilConfig(AppConfig):
    """Holds the commands that start an instance; it has no tables."""

    name = "config"
