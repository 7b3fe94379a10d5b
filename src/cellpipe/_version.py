"""The version: the one place where it stands."""

__version__ = "2026.11.0.dev0"
