import pytest

from service.settings import Settings


def test_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWRIGHT_DATABASE_URL", "postgresql://ann:s3cret@host/name")
    settings = Settings.read()
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value().endswith("s3cret@host/name")
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    monkeypatch.setenv("MODELWRIGHT_PORT", "many")
    with pytest.raises(ValueError, match="MODELWRIGHT_PORT") as caught:
        Settings.read()
    assert "s3cret" not in str(caught.value)


def test_empty_variables_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELWRIGHT_DATABASE_URL", "")
    assert Settings.read().database_url is None
