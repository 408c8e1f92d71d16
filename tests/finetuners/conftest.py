"""The small pipelines of the generators' tests."""

from tests.generators.conftest import base, folder, model, xl

__all__ = ["base", "folder", "model", "xl"]
