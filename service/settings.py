"""The environment, read once: every setting, its unit and its default."""

import ctypes
import os
import sys
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.addresses import parse_networks, parse_origins, parse_root_path

SECRETS = ("admin_key", "database_url", "webhook_secret")  # each can be given as a file, too: `…_file`
OBJECT_STORES = ("AWS_", "AZURE_", "GOOGLE_")  # what the variables that configure obstore begin with
PR_SET_DUMPABLE = 4
PARSERS: dict[str, Callable[[str], object]] = {
    "allowed_origins": parse_origins,
    "root_path": parse_root_path,
    "forwarded_allow": parse_networks,
}


class InvalidSettings(ValueError):
    """Settings of the environment, or of the command line, are not valid."""


class Settings(BaseSettings):
    """Each field is read from `MODELWRIGHT_` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="MODELWRIGHT_",
        env_ignore_empty=True,  # a compose file passes unset variables as empty ones
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    @classmethod
    def read(cls, **given: Any) -> Self:
        """The settings of the environment, overridden by those given here.

        Raises:
            InvalidSettings: names each invalid setting and what is expected, but not its value, which may be secret.
        """
        if os.environ.get("MODELWRIGHT_ADMIN_KEY") == "":
            given.setdefault("admin_key", "")  # an empty key is a mistake, and must not start a service without keys
        try:
            return cls(**given)
        except ValidationError as error:
            raise InvalidSettings("; ".join(map(cls._description, error.errors()))) from None

    @classmethod
    def _description(cls, fault: ErrorDetails) -> str:
        if not fault["loc"]:
            return fault["msg"].removeprefix("Value error, ")
        name = str(fault["loc"][0])
        message = fault["msg"].removeprefix("Value error, ")
        expected = message[:1].lower() + message[1:]
        return f"MODELWRIGHT_{name.upper()}: {expected} ({cls.model_fields[name].description})"

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, given: Any) -> Any:
        """Reads the secrets that are given as files, without the line break at the end."""
        given = dict(given)
        for name in SECRETS:
            path, variable = given.get(f"{name}_file"), variable_of(name)
            if path is None:
                continue
            if given.get(name) is not None:
                raise ValueError(f"{variable} and {variable}_FILE are both set; only one can be meant")
            try:
                given[name] = Path(path).read_text().rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is no text"
                raise ValueError(f"{variable}_FILE cannot be read: {reason}") from None
        return given

    @field_validator("allowed_origins", "root_path", "forwarded_allow")
    @classmethod
    def _check_address(cls, given: str | None, about: ValidationInfo) -> str | None:
        if given is not None:
            PARSERS[str(about.field_name)](given)
        return given

    # Place
    home: Path = Field(default=Path("modelwright-home"), description="the folder of all state")
    host: str = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="the port to listen on; 0 for a free one")

    store_url: str | None = Field(
        default=None,
        description="the model store: a path, `file:///folder`, `s3://bucket/prefix`, `gs://…` or `az://…`; the folder "
        "`store` in the home if not set",
    )
    store_cache_bytes: int = Field(
        default=20 * 2**30,
        ge=1,
        description="bytes of files of a store in a bucket that are kept in the home, at most; each file must fit into it",
    )

    database_url: SecretStr | None = Field(
        default=None,
        description="the journal's database, `postgresql://user:password@host/name`; a SQLite file in the home if not set",
    )
    database_url_file: Path | None = Field(
        default=None, description="a file that holds `MODELWRIGHT_DATABASE_URL`, in place of it"
    )

    workers: int = Field(
        default=1, ge=1, le=64, description="processes that answer; with several, one more process runs the trainings"
    )
    stop_delay_seconds: float = Field(
        default=2.0,
        ge=0,
        description="seconds for which it still listens after a signal to stop, so that load balancers notice",
    )

    # Access
    admin_key: SecretStr | None = Field(
        default=None,
        description="a key that may do everything, of 32 visible characters at least, beside those of the home",
    )
    admin_key_file: Path | None = Field(
        default=None, description="a file that holds `MODELWRIGHT_ADMIN_KEY`, in place of it"
    )
    first_key: bool = Field(
        default=False, description="make a first key at the first start, scope `admin`, and print it once"
    )
    insecure: bool = Field(
        default=False, description="allow serving without keys on any address, which disables authentication"
    )
    keep_audit_days: float = Field(default=365.0, ge=0, description="days for which the audit log is kept")

    # Browsers and proxies
    allowed_origins: str | None = Field(
        default=None,
        description="origins whose web pages may call the service, comma-separated, such as `https://app.example.org`; "
        "none if not set",
    )
    root_path: str | None = Field(
        default=None, description="the path under which a proxy shows the service, such as `/mw`; the root if not set"
    )
    forwarded_allow: str | None = Field(
        default=None,
        description="addresses and networks of proxies whose `X-Forwarded-` headers are believed, comma-separated; "
        "none if not set",
    )

    # Signatures
    signing_key_file: Path | None = Field(
        default=None, description="a file with the private key that signs the models that are trained; none if not set"
    )
    require_signatures: str | None = Field(
        default=None,
        description="files with public keys, comma-separated: only models that one of them has signed are imported and served",
    )

    # Limits
    slots: int = Field(default=max(1, (os.cpu_count() or 2) - 1), ge=1, description="trainings at a time")
    threads: int | None = Field(
        default=None,
        ge=1,
        description="CPU threads of each training; the slots share all processors but one if not set",
    )
    max_upload_bytes: int = Field(default=10 * 2**30, ge=1, description="bytes of a data set or a bundle at most")
    max_parameters: int = Field(default=100_000_000, ge=1, description="parameters of a model at most")
    max_model_bytes: int = Field(
        default=2**29,
        ge=1,
        description="bytes of a model's parameters, and of its activations for one row, at most",
    )
    max_memory_bytes: int | None = Field(
        default=None,
        ge=1,
        description="bytes of memory that a training may take; four fifths of the machine's if not set",
    )
    max_training_seconds: float | None = Field(
        default=None, gt=0, description="seconds that an attempt at a training may take; no limit if not set"
    )
    keep_events_days: float = Field(
        default=30.0, ge=0, description="days for which the events of a job are kept after its end"
    )
    keep_jobs_days: float | None = Field(
        default=None, ge=0, description="days for which a job is kept after its end; for ever if not set"
    )
    checkpoint_seconds: float = Field(
        default=10.0, ge=0, description="seconds between two checkpoints of a training, at least"
    )
    publish_patience_seconds: float = Field(
        default=900.0,
        ge=0,
        description="seconds for which a training waits in all for space, the store or its data, before it fails",
    )
    request_memory_bytes: int = Field(
        default=256 * 2**20,
        ge=1,
        description="bytes of memory for the bodies of all requests together, and what is made of them; more get 429",
    )
    warm_model_bytes: int = Field(default=2**30, ge=0, description="bytes of models kept in memory for predictions")

    light_predictions: int = Field(
        default=10_000_000,
        ge=0,
        description="multiply-adds and numbers made up to which a prediction is computed in the event loop, not in a thread",
    )
    prediction_threads: int = Field(default=1, ge=1, description="predictions computed in threads at a time")
    waiting_predictions: int = Field(
        default=12,
        ge=1,
        description="places for predictions that wait for a thread, of which a small one takes an eighth; more get 429",
    )

    default_model: str | None = Field(
        default=None,
        pattern=r"^[^@]+(@[^@]+)?$",
        description="the model that `/invocations` predicts with, `name` or `name@version`; none if not set",
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="what is logged: `debug`, `info`, `warning` or `error` and above"
    )
    log_format: Literal["json", "console"] | None = Field(
        default=None,
        description="log lines as `json`, or for people (`console`); for people on a terminal only if not set",
    )
    access_log: Literal["all", "usual", "none"] = Field(
        default="usual",
        description="requests in the log: `all`, all but successful predictions (`usual`), or `none`",
    )

    prediction_log: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="the share of prediction requests whose rows and answers are kept in the home, for feedback; none if not "
        "set",
    )
    prediction_log_bytes: int = Field(
        default=2**30, ge=2**20, description="bytes of the log of predictions at most; the oldest files are deleted"
    )

    # Webhooks
    webhook_hosts: str | None = Field(
        default=None,
        description="where webhooks may go: `host` (any port) or `host:port`, comma-separated; nowhere if not set",
    )
    webhook_secret: SecretStr | None = Field(
        default=None, description="signs webhooks: `whsec_` and base64, or a text, of at least 24 bytes"
    )
    webhook_secret_file: Path | None = Field(
        default=None, description="a file that holds `MODELWRIGHT_WEBHOOK_SECRET`, in place of it"
    )


def variable_of(setting: str) -> str:
    """The variable of the environment that a setting is read from."""
    return f"MODELWRIGHT_{setting.upper()}"


def take_secrets(environment: MutableMapping[str, str]) -> dict[str, str]:
    """Removes the variables that may hold a secret, and returns them: those of settings, and all that configure obstore."""
    names = {variable_of(secret) for secret in SECRETS}
    return {name: environment.pop(name) for name in [*environment] if name in names or name.startswith(OBJECT_STORES)}


def forget_secrets() -> None:
    """Removes the secrets from the environment after they were read, so that child processes do not inherit them, and forbids
    other processes of the same user to read this process's memory and initial environment."""
    take_secrets(os.environ)
    if sys.platform == "linux" and os.geteuid() != 0:  # nothing is hidden from what runs as root
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)
