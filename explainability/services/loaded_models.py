"""Models of one job, each read once."""

from __future__ import annotations

from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.protocol import LoadedModel
from assurance.models import ModelVersion
from assurance.services.weights import weights_path


class LoadedModels:
    """Keeps what it has read until the job ends; a worker never holds models between jobs."""

    def __init__(self) -> None:
        self._held: dict[int, LoadedModel] = {}

    def of(self, version: ModelVersion) -> LoadedModel:
        """The model of ``version`` with the weights that its SHA-256 names.

        Raises
        ------
        InvalidInput
            ``unknown_key`` for an adapter that this instance lacks, ``other_model`` and ``other_weights``.
        Unavailable
            ``weights_away``, ``package_missing``.
        """
        if version.pk not in self._held:
            load = ADAPTERS.load(version.adapter_key)
            self._held[version.pk] = load(weights_path(version), sha256=version.weights_sha256)
        return self._held[version.pk]
