"""Settings and secrets, and that no other process can read the secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.settings import SECRETS, InvalidSettings, Settings

ROOT = Path(__file__).parents[1]
BOTH = """
import ctypes, os, sys
from service.settings import PR_SET_DUMPABLE, Settings, forget_secrets
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # as whoever has begun as this user
Settings.read()
if sys.argv[1] == "forgets":
    forget_secrets()
registry = CollectorRegistry()
ProcessCollector(registry=registry)
assert b"process_open_fds" in generate_latest(registry)
if os.fork() == 0:
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)
    for what in ("environ", "mem", "maps"):
        try:
            open(f"/proc/{os.getppid()}/{what}", "rb").close()
            print("open")
        except PermissionError:
            print("refused")
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_can_be_given_as_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in SECRETS:
        monkeypatch.delenv(f"MODELWRIGHT_{each.upper()}", raising=False)
    file = tmp_path / "secret"
    file.write_text("sqlite:///of 24 bytes at least\n")
    monkeypatch.setenv(f"MODELWRIGHT_{name.upper()}_FILE", str(file))
    assert getattr(Settings.read(), name).get_secret_value() == "sqlite:///of 24 bytes at least"
    monkeypatch.setenv(f"MODELWRIGHT_{name.upper()}", "another")
    with pytest.raises(InvalidSettings, match="only one can be meant"):
        Settings.read()
    monkeypatch.delenv(f"MODELWRIGHT_{name.upper()}")
    file.unlink()
    with pytest.raises(InvalidSettings, match="_FILE cannot be read: No such file"):
        Settings.read()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("does", "sees"), [("forgets", "refused"), ("keeps", "open")])
def test_another_process_of_the_same_user_cannot_read_the_secrets_of_the_service(does: str, sees: str) -> None:
    command = [sys.executable, "-c", BOTH, does]
    given = os.environ | {"MODELWRIGHT_ADMIN_KEY": "secret"}
    done = subprocess.run(command, env=given, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603 - ours
    assert done.stdout.split() == [sees] * 3, done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "many", "MODELWRIGHT_PORT: input should be a valid integer"),
        ("PORT", "70000", "MODELWRIGHT_PORT: input should be less than or equal to 65535"),
        ("WORKERS", "0", "MODELWRIGHT_WORKERS: input should be greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "MODELWRIGHT_LOG_LEVEL: input should be 'debug', 'info', 'warning' or 'error'"),
        ("DEFAULT_MODEL", "a@b@c", "MODELWRIGHT_DEFAULT_MODEL: "),
        ("INSECURE", "perhaps", "MODELWRIGHT_INSECURE: "),
        ("MAX_MEMORY_BYTES", "1e400", "MODELWRIGHT_MAX_MEMORY_BYTES: "),
        ("CHECKPOINT_SECONDS", "nan", "MODELWRIGHT_CHECKPOINT_SECONDS: "),
    ],
)
def test_an_invalid_setting_is_named_in_one_line(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"MODELWRIGHT_{name}", value)
    with pytest.raises(InvalidSettings) as caught:
        Settings.read()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_the_command_line_reports_an_invalid_setting_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "service", "serve", "--port", "70000", "--home", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: MODELWRIGHT_PORT: ")
    assert len(ended.stderr.splitlines()) == 1
