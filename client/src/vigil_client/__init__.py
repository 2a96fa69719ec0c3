"""Log the predictions of a model to Vigil, whatever the network does."""

from vigil_client.client import Refused, Vigil

__all__ = ["Refused", "Vigil"]
