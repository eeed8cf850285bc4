"""How the schemas of answers are written: as typed dictionaries, which mypy checks where they are made."""

from pydantic import ConfigDict, with_config

closed = with_config(ConfigDict(extra="forbid"))  # OpenAPI: additionalProperties false
