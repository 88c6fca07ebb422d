"""Where values come from, what follows from them, and what is shown of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
import yaml

from orama.config.loader import LoadedConfig, load
from orama.config.model import Config
from orama.config.reference import reference
from orama.config.render import render
from orama.services.limiter import Rate

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"


def load_from(tmp_path, text="", environment=None, flags=None):
    file = tmp_path / "orama.yaml"
    file.write_text(text)
    return load(file, environment=environment or {}, flags=flags)


def test_defaults_are_a_configuration_that_holds(tmp_path):
    loaded = load(environment={"ORAMA_HOME": str(tmp_path)})
    assert loaded.origins == {}
    assert loaded.config.server.listen == "127.0.0.1:6001"
    assert loaded.config.server.max_body_bytes == 1024 * 1024
    assert loaded.config.node.mode == "development"


def test_flags_win_over_environment_over_file_over_defaults(tmp_path):
    loaded = load_from(
        tmp_path,
        "server:\n  idle_s: 1\n  linger_s: 1\n  write_stall_s: 1\n",
        {"ORAMA_SERVER__LINGER_S": "2", "ORAMA_SERVER__WRITE_STALL_S": "2"},
        {"server.write_stall_s": 3},
    )
    server = loaded.config.server
    assert (server.header_timeout_s, server.idle_s, server.linger_s, server.write_stall_s) == (10.0, 1.0, 2.0, 3.0)
    assert loaded.origins == {
        "server.idle_s": "orama.yaml line 2",
        "server.linger_s": "ORAMA_SERVER__LINGER_S",
        "server.write_stall_s": "flag",
    }


def test_environment_has_texts_as_they_stand_and_the_rest_as_yaml(tmp_path):
    environment = {
        "ORAMA_SERVER__LISTEN": "[::1]:0",
        "ORAMA_SERVER__CORS_ORIGINS": '["https://a.example", "http://localhost:3000"]',
        "ORAMA_LIMITS__ENABLED": "false",
        "ORAMA_LIMITS__READ": "{key: null, address: {burst: 9}}",
        "ORAMA_AUTH__DEFAULT_NAMESPACE": "no",
        "ORAMA_LOG__LEVEL": "",
        "ORAMA_TEST_PROFILE": "ci",
        "ORAMA_HOME": str(tmp_path),
        "ORAMA_URL": "http://127.0.0.1:6001",
        "ORAMA_API_KEY": "ak_1_secret:shop",
        "ORACLE": "x",
    }
    config = load_from(tmp_path, "log: {level: debug}", environment).config
    assert config.server.listen == "[::1]:0"
    assert config.server.cors_origins == ("https://a.example", "http://localhost:3000")
    assert not config.limits.enabled
    assert config.limits.read.key is None
    assert config.limits.read.address == Rate(2000, 9)
    assert config.auth.default_namespace == "no"
    assert config.log.level == "debug"


def test_file_is_looked_for_in_the_home(tmp_path):
    (tmp_path / "orama.yaml").write_text("log: {level: error}")
    loaded = load(environment={"ORAMA_HOME": str(tmp_path)})
    assert loaded.config.log.level == "error"
    assert loaded.config.node.data_dir == tmp_path / "data"


def test_environment_of_the_process_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setenv("ORAMA_HOME", str(tmp_path))
    monkeypatch.setenv("ORAMA_LOG__LEVEL", "warning")
    assert load().config.log.level == "warning"


@pytest.mark.parametrize(
    "text", ["", "# nothing", "server:\n  # all commented out\ncache: {}\ndatabase: {limits: }", "---"]
)
def test_empty_file_and_empty_sections_change_nothing(tmp_path, text):
    home = {"ORAMA_HOME": str(tmp_path / "home")}
    assert load_from(tmp_path, text, home) == load(environment=home)


def test_optional_section_goes_off_and_on_again(tmp_path):
    off = load_from(tmp_path, "limits: {read: {key: null}}")
    assert off.config.limits.read.key is None
    on = load_from(tmp_path, "limits: {read: {key: null}}", flags={"limits.read.key.burst": 7})
    assert on.config.limits.read.key == Rate(2000, 7)
    assert (
        load_from(tmp_path, "limits: {read: {key: {burst: 7}}}", flags={"limits.read.key": None}).config.limits.read.key
        is None
    )
    new = load_from(tmp_path, "limits: {sign_in: {key: {burst: 5, rate_per_s: 1}}}")
    assert new.config.limits.sign_in.key == Rate(1.0, 5)


def test_what_follows_other_settings(tmp_path):
    text = "node: {data_dir: /srv/orama, public_host: api.example}\ndatabase: {limits: {max_rows: 5}}"
    config = load_from(tmp_path, text).config
    assert config.database.sqlite.data_directory == config.node.data_dir == Path("/srv/orama")
    assert config.database.sqlite.limits == config.database.limits
    assert config.database.limits.max_rows == 5
    assert config.auth.public_host == "api.example"


def test_home_directory_is_spelled_out(tmp_path):
    assert load_from(tmp_path, "node: {data_dir: ~/x}").config.node.data_dir == Path.home() / "x"


def test_mode_decides_who_may_come_in(tmp_path):
    development = load_from(tmp_path).config.auth
    assert (development.development, development.open_namespaces, development.public_host) == (
        True,
        ("default",),
        "127.0.0.1:6001",
    )
    text = "node: {mode: production, public_host: api.example}"
    production = load_from(tmp_path, text).config.auth
    assert (production.development, production.open_namespaces) == (False, ())
    closed = load_from(tmp_path, "auth: {open_namespaces: []}").config.auth
    assert closed.open_namespaces == ()
    other = load_from(tmp_path, "auth: {default_namespace: shop}").config.auth
    assert other.open_namespaces == ("shop",)


def test_what_is_shown_can_be_loaded_again(tmp_path):
    text = "limits: {read: {key: null}}\nserver: {cors_origins: ['https://a.example']}\nauth: {issuer: 'no # really: \"ü\"'}"
    loaded = load_from(tmp_path, text, {"ORAMA_LOG__LEVEL": "debug"})
    shown = render(loaded)
    (tmp_path / "again").mkdir()
    assert load_from(tmp_path / "again", shown).config == loaded.config
    lines = {line.split(":")[0].strip(): line for line in shown.splitlines()}
    assert lines["level"].endswith("# ORAMA_LOG__LEVEL")
    assert lines["cors_origins"].endswith("# orama.yaml line 2")
    assert lines["listen"].endswith("# default")


class Vault(msgspec.Struct, frozen=True):
    password: Annotated[str | None, msgspec.Meta(extra={"secret": True})] = None
    user: str = "orama"


class WithSecret(msgspec.Struct, frozen=True):
    vault: Vault = Vault()


def test_secrets_are_not_shown():
    shown = render(LoadedConfig(WithSecret(Vault("hunter2")), {"vault.password": "flag"}))
    assert "hunter2" not in shown
    assert yaml.safe_load(shown) == {"vault": {"password": "(secret)", "user": "orama"}}
    assert yaml.safe_load(render(LoadedConfig(WithSecret(), {})))["vault"]["password"] is None


def test_reference_is_what_the_model_says():
    assert REFERENCE.read_text("utf-8") == reference(), (
        "run `python -m orama.config.reference > docs/reference/configuration.md`"
    )


@pytest.mark.parametrize("section", Config.__struct_fields__)
def test_every_section_is_in_the_reference(section):
    assert f"## `{section}`" in reference()
