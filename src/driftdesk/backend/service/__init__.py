"""The use cases of the backend: what the API calls, each a method that takes and returns messages of the wire."""

from driftdesk.backend.service.service import Service

__all__ = ["Service"]
