"""Each thing that can be wrong with a configuration: where it is told, and with which advice."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orama.config.fault import ConfigError
from orama.config.loader import load
from orama.config.schema import Schema

# YAML text: path of the fault, then words that its line must hold.
FILE = [
    ("servr: {}", "servr", "unknown key", "did you mean server?"),
    ("server: {listn: x}", "server.listn", "unknown key", "did you mean server.listen?"),
    ("listen: 127.0.0.1:80", "listen", "unknown key", "did you mean server.listen?"),
    ("cache: {memory: {total_byte: 5}}", "cache.memory.total_byte", "did you mean cache.memory.total_bytes?"),
    ("nonsense: 1", "nonsense", "unknown key; expected a known one"),
    ("server: {7: 8}", "server.7", "unknown key"),
    ("server: {? [a, b] : 1}", "", "cannot be read|unhashable"),
    ("database: {sqlite: {data_directory: /x}}", "database.sqlite.data_directory", "it follows node.data_dir: set that"),
    ("database: {sqlite: {limits: {}}}", "database.sqlite.limits", "it follows database.limits: set that"),
    ("auth: {public_host: x}", "auth.public_host", "it follows node.public_host: set that"),
    ("auth: {development: true}", "auth.development", "it follows node.mode: set that"),
    ("node: {mode: prod}", "node.mode", "one of development, production", "did you mean production?"),
    ("log: {level: warn}", "log.level", "'warn'", "did you mean warning?"),
    ("log: {level: null}", "log.level", "found nothing", "one of debug, info, warning, error"),
    ("log: {format: xml}", "log.format", "one of auto, console, json"),
    ("database: {engine: rqlite}", "database.engine", "one of sqlite"),
    ("auth: {jwt_algorithm: none}", "auth.jwt_algorithm", "one of EdDSA, RS256"),
    ("server: {max_body_bytes: 1MiB}", "server.max_body_bytes", "'1MiB'", "in bytes: 1048576"),
    ("server: {max_body_bytes: 64 kb}", "server.max_body_bytes", "in bytes: 65536"),
    ("server: {header_timeout_s: 1m30s}", "server.header_timeout_s", "'1m30s'", "in seconds: 90"),
    ("server: {max_headers: '100'}", "server.max_headers", "found '100'; expected a whole number"),
    ("server: {max_headers: true}", "server.max_headers", "found true; expected a whole number"),
    ("server: {max_headers: 1.5}", "server.max_headers", "found 1.5; expected a whole number"),
    ("server: {max_headers: 0}", "server.max_headers", "found 0; expected a whole number from 1 to 2147483647"),
    ("server: {max_headers: -5}", "server.max_headers", "found -5"),
    ("server: {max_headers: 99999999999}", "server.max_headers", "found 99999999999"),
    ("server: {max_json_depth: 201}", "server.max_json_depth", "a whole number from 1 to 200"),
    ("server: {idle_s: 0}", "server.idle_s", "found 0; expected a number from 0.001 to 315360000"),
    ("server: {idle_s: .nan}", "server.idle_s", "found nan"),
    ("server: {idle_s: .inf}", "server.idle_s", "found inf"),
    ("server: {shutdown_notice_s: -1}", "server.shutdown_notice_s", "a number from 0 to 300"),
    ("server: {cors_origins: https://a.example}", "server.cors_origins", "a list of texts", 'write ["https://a.example"]'),
    ("server: {cors_origins: [1]}", "server.cors_origins", "found a list; expected a list of texts"),
    ("server: {cors_origins: ['*', 'https://a.example']}", "server.cors_origins", "'*' beside other origins"),
    ("server: {cors_origins: ['https://a.example/path']}", "server.cors_origins", "without a path"),
    ("auth: {login_callbacks: ['http://app.example/']}", "auth.login_callbacks", "a URL such as https://app.example/auth/"),
    ("auth: {login_callbacks: ['https://app.example/?x']}", "auth.login_callbacks", "without query or fragment"),
    ("server: {cors_origins: [a.example]}", "server.cors_origins", "an origin such as https://app.example"),
    ("server: {trusted_proxies: [10.0.0.1/8]}", "server.trusted_proxies", "a network such as 10.0.0.0/8"),
    ("metrics: {networks: [localhost]}", "metrics.networks", "'localhost'", "a network"),
    ("server: {allowed_hosts: ['a.example:443']}", "server.allowed_hosts", "without scheme, port or path"),
    ("server: {listen: localhost}", "server.listen", "HOST:PORT"),
    ("server: {listen: '127.0.0.1:70000'}", "server.listen", "HOST:PORT"),
    ("server: {listen: '::1:6001'}", "server.listen", "[::1]:6001"),
    ("server: {listen: 6001}", "server.listen", "found 6001; expected a text; put it in quotes"),
    ("node: {data_dir: 5}", "node.data_dir", "expected a path"),
    ("node: {data_dir: ''}", "node.data_dir", "expected a path"),
    ("node: {data_dir: 2001-01-01}", "node.data_dir", "found a date"),
    ("node: {public_host: 'https://a.example'}", "node.public_host", "without scheme or path"),
    ("node: {mode: production}", "node.public_host", "found nothing", "in production"),
    ("auth: {default_namespace: 'a b'}", "auth.default_namespace", "a namespace"),
    ("auth: {default_namespace: no}", "auth.default_namespace", "found false; expected a text; put it in quotes"),
    ("auth: {open_namespaces: [ok, _bad]}", "auth.open_namespaces", "'_bad'"),
    ("auth: {issuer: ' '}", "auth.issuer", "not blank"),
    ("auth: {clock_skew_s: 301}", "auth.clock_skew_s", "from 0 to 300"),
    ("auth: {access_token_s: 900, refresh_s: 60}", "auth.access_token_s", "at most auth.refresh_s, which is 60"),
    ("cache: {memory: {namespace_bytes: 300000000}}", "cache.memory.namespace_bytes", "at most cache.memory.total_bytes"),
    ("server: {max_connections: 10}", "server.max_connections_per_address (default)", "at most server.max_connections"),
    ("server: [1]", "server", "found a list; expected a mapping with the keys max_request_line_bytes"),
    ("server: yes", "server", "found true; expected a mapping"),
    ("limits: {sign_in: {key: {burst: 5}}}", "limits.sign_in.key.rate_per_s", "set all of it, or none"),
    ("limits: {read: {key: {burst: many}}}", "limits.read.key.burst", "'many'"),
    ("limits: {enabled: 1}", "limits.enabled", "found 1; expected true or false"),
    ("[1, 2]", "", "found a list; expected a mapping of sections"),
    ("just text", "", "found 'just text'"),
    ("server: {listen: a:1\n", "", "orama.yaml line 2", "YAML"),
    ("a:\n\t- b", "", "orama.yaml line 2", "YAML"),
    ("a: &x 1\nb: *x", "", "an alias", "orama.yaml line 2"),
    ("a: 1\n---\nb: 2", "", "YAML"),
    ("node: !!python/object:os.system {}", "", "YAML", "line 1"),
    ("node: {mode: !!int ''}", "", "cannot be read"),
    ("a: \x01", "", "a character that YAML does not allow"),
    ("log:\n  level: info\n  level: debug", "log.level", "the same key twice", "line 3", "the first is in line 2"),
    ("log: {level: info}\nlog: {}", "log", "the same key twice", "line 2"),
    ("server: {max_body_bytes: " + "9" * 4000 + "}", "server.max_body_bytes", "a huge number"),
    ("[" * 1500, "", "YAML"),
]  # fmt: skip
ENVIRONMENT = [
    ("ORAMA_SERVER_LISTEN", "x", "", "did you mean ORAMA_SERVER__LISTEN?"),
    ("ORAMA_XYZ", "x", "", "an unknown variable"),
    ("ORAMA_SERVER__LISTN", "x", "", "did you mean ORAMA_SERVER__LISTEN?"),
    ("ORAMA_SERVER__MAX_HEADERS", "many", "server.max_headers", "(ORAMA_SERVER__MAX_HEADERS)"),
    ("ORAMA_SERVER__CORS_ORIGINS", "[", "server.cors_origins", "a list of texts"),
    ("ORAMA_SERVER", "x", "server", "a mapping"),
    ("ORAMA_LIMITS__READ__KEY__BURST", "0", "limits.read.key.burst", "from 1"),
]


def faults_of(text="", **sources):
    sources.setdefault("environment", {})
    with pytest.raises(ConfigError) as refusal:
        load_text(text, **sources)
    assert str(len(refusal.value.faults)) in refusal.value.text.splitlines()[0]
    return refusal.value.faults


def load_text(text, *, environment, flags=None):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "orama.yaml")
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        return load(file, environment={"ORAMA_HOME": directory, **environment}, flags=flags)


def outcome(text, flags=None):
    """The paths that were set, and the faults: of one kind or the other, whatever the text."""
    try:
        return set(load_text(text, environment={}, flags=flags).origins), ()
    except ConfigError as error:
        return None, error.faults


def check(faults, path, *words):
    (fault,) = [one for one in faults if f"{one.path} ({one.origin})".startswith(path or " ")]
    line = str(fault)
    for word in words:
        assert any(choice in line for choice in word.split("|")), (word, line)
    assert "\n" not in line
    assert len(line) < 1000


@pytest.mark.parametrize(("text", "path", "words"), [(text, path, words) for text, path, *words in FILE])
def test_fault_in_the_file_is_told_with_its_path_and_advice(text, path, words):
    check(faults_of(text), path, *words)


@pytest.mark.parametrize(("name", "value", "path", "word"), ENVIRONMENT)
def test_fault_in_the_environment_is_told_with_its_variable(name, value, path, word):
    (fault,) = faults_of(environment={name: value})
    check([fault], path, word)
    assert fault.origin == name


def test_fault_in_a_flag_is_told():
    faults = faults_of(flags={"server.idle_s": "soon", "server.idel_s": 1, "log": 5})
    assert [(one.path, one.origin) for one in faults] == [
        ("server.idel_s", "flag"),
        ("log", "flag"),
        ("server.idle_s", "flag"),
    ]


def test_missing_and_unreadable_files_are_told(tmp_path):
    for file, words in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=words):
            load(file, environment={})
    (tmp_path / "latin.yaml").write_bytes(b"node: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(tmp_path / "latin.yaml", environment={})


def test_everything_is_told_at_once():
    text = """
server:
  listen: nope
  idle_s: 5m
  cors_orgins: []
cache: {memory: {namespace_bytes: 500000000}}
node: {mode: production}
"""
    faults = faults_of(text, environment={"ORAMA_LOG__LEVEL": "loud"}, flags={"auth.issuer": " "})
    assert {one.path for one in faults} == {
        "server.listen", "server.idle_s", "server.cors_orgins", "cache.memory.namespace_bytes", "node.public_host", "log.level", "auth.issuer",
    }  # fmt: skip


def test_conflict_between_faulty_values_is_not_told_twice():
    (fault,) = faults_of("server: {max_connections: none}")
    assert fault.path == "server.max_connections"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
keys = st.sampled_from(sorted({part for path in Schema().settings for part in path.split(".")})) | st.text(max_size=8)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(st.text(max_size=200) | st.text(alphabet="abc:{}[]-&*!|>'\"%@` \n\t#,?0159.~", max_size=60))
def test_any_text_is_a_configuration_or_a_config_error(text):
    paths, faults = outcome(text)
    assert bool(faults) != (paths == set())


@given(trees)
def test_any_yaml_is_a_configuration_or_a_config_error(tree):
    paths, faults = outcome(yaml.safe_dump(tree))
    if paths is None:
        assert all(fault.found and fault.expected for fault in faults)
    else:
        assert paths <= set(Schema().settings) | set(Schema().sections)


@given(st.dictionaries(st.sampled_from(sorted(Schema().settings)), scalars | st.lists(scalars, max_size=2), max_size=5))
def test_any_value_of_a_flag_is_taken_or_a_config_error(flags):
    paths, faults = outcome("", flags)
    if paths is None:
        assert faults
    else:
        assert paths == set(flags)
