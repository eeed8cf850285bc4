"""Modelwright: POST a config, get a model."""

__version__ = "0.1.0"
