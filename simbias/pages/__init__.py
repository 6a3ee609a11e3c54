"""A run as one HTML file that opens anywhere: no server, no network, nothing beside it."""

from simbias.pages.document import page

__all__ = ["page"]
