from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hive.config import settings as config
from hive.config.sections.server import default_data_dir
from hive.config.settings import Settings
from hive.errors import ConfigError

Environment = dict[str, str]


def load(
    tmp_path: Path,
    text: str,
    environment: Environment | None = None,
    overrides: dict[str, object] | None = None,
) -> Settings:
    file = tmp_path / "hive.toml"
    file.write_text(text)
    return config.load(file, environment=environment or {}, overrides=overrides)


def problems(
    tmp_path: Path,
    text: str,
    environment: Environment | None = None,
    overrides: dict[str, object] | None = None,
) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environment, overrides)
    return [line.removeprefix(f"{tmp_path}/") for line in caught.value.message.splitlines()]


def test_without_any_source_the_defaults_serve() -> None:
    assert config.load(None, environment={}) == Settings()


def test_command_line_goes_before_environment_before_file_before_default(tmp_path: Path) -> None:
    text = "[ssh]\nmax_tries = 1\nmax_sessions = 1\nlogin_seconds = 1\n"
    environment = {"HIVE_SSH__MAX_TRIES": "2", "HIVE_SSH__MAX_SESSIONS": "2"}
    ssh = load(tmp_path, text, environment, {"ssh.max_tries": 3, "ssh.listen": None}).ssh
    assert (ssh.max_tries, ssh.max_sessions, ssh.login_seconds) == (3, 2, 1)
    assert ssh.keepalive_count == 30
    assert ssh.listen == ("0.0.0.0:2222", "[::]:2222")


def test_a_named_data_directory_goes_before_all(tmp_path: Path) -> None:
    environment = {"HIVE_SERVER__DATA_DIR": "/environment"}
    settings = config.load(None, data_dir=tmp_path, environment=environment)
    assert settings.server.data_dir == tmp_path


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().ssh.max_tries = 3  # type: ignore[misc]


def test_the_file_that_is_named_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ConfigError, match=r"missing\.toml: the file does not exist"):
        config.load(missing, environment={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[ssh]\nlisten = x", "hive.toml:2: not valid TOML, column 10: Invalid value; "),
        ("[ssh]\n\nlisten", "hive.toml:3: not valid TOML"),
        ("[ssh]\nmax_trys = 3", "hive.toml:2: there is no setting max_trys in [ssh]; "),
        ("[wbe]\nlisten = '1'", "hive.toml:1: there is no section wbe; did you mean [web]?"),
        ("\n[zzzzz]", "hive.toml:2: there is no section zzzzz; there are server, database, "),
        ("[web]\nmax_tries = 3", "hive.toml:2: there is no setting max_tries in [web]; max_"),
        ("listen = ':0'", "hive.toml:1: there is no section listen; listen belongs under [ssh]"),
        ("ssh = 3", "hive.toml:1: ssh is a section: "),
        ("[ssh]\nmax_tries = 'x'", "hive.toml:2: ssh.max_tries must be a whole number"),
        ("[ssh]\nmax_tries = true", "hive.toml:2: ssh.max_tries must be a whole number"),
        ("[ssh]\nmax_tries = 1.5", "hive.toml:2: ssh.max_tries must be a whole number"),
        ("[ssh]\nmax_tries = 0", "hive.toml:2: ssh.max_tries must be 1 or more"),
        ("ssh.max_tries = 0", "hive.toml:1: ssh.max_tries must be 1 or more"),
        ("ssh = { max_tries = 0 }", "hive.toml:1: ssh.max_tries must be 1 or more"),
        ("[ssh]\n'max_tries' = 0", "hive.toml:2: ssh.max_tries must be 1 or more"),
        (
            "[ssh]\nlisten = 3",
            "hive.toml:2: ssh.listen must be HOST:PORT in quotes, or a list of that",
        ),
        ("[ssh]\nhost_keys = 3", "hive.toml:2: ssh.host_keys must be a list"),
        ("[child]\nconfinement = 'requires'", "hive.toml:2: child.confinement must be 'prefer' "),
        ("[child]\nfile_bytes = '1 lot'", "hive.toml:2: child.file_bytes is wrong: '1 lot' is "),
        ("[child]\nfile_bytes = 10", "hive.toml:2: child.file_bytes must be 1048576 or more"),
        ("[web]\npublic_url = 'hive.org'", "hive.toml:2: web.public_url must be http:// or "),
        ("[web]\ntrusted_proxies = ['x']", "hive.toml:2: web.trusted_proxies must list networks"),
        ("[borg]\ncommand = ' '", "hive.toml:2: borg.command must be a name or a path"),
        ("[triggers.commands]\nx = 'id'", "hive.toml:1: triggers.commands must be a list"),
        ("[triggers.commands]\nx = ['id']", "hive.toml:1: triggers.commands x must begin with "),
        ("[triggers.commands]\n'a b' = ['/x']", "hive.toml:1: triggers.commands has a name "),
    ],
)
def test_an_error_in_the_file_names_its_line(tmp_path: Path, text: str, expected: str) -> None:
    [line] = problems(tmp_path, text)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HIVE_SSH__LISEN", "x", "there is no such setting; did you mean HIVE_SSH__LISTEN?"),
        ("HIVE_FOO__BAR", "x", "there is no such setting"),
        ("HIVE_SSH__", "{}", "there is no such setting"),
        ("HIVE_SSH__MAX_TRIES", "ten", "ssh.max_tries must be a whole number"),
        ("HIVE_SSH__HOST_KEYS", "/a:/b\0", "ssh.host_keys must be a path"),
        ("HIVE_TRIGGERS__COMMANDS", "wake", "triggers.commands must be JSON here"),
    ],
)
def test_an_error_in_the_environment_names_the_variable(
    tmp_path: Path, variable: str, value: str, expected: str
) -> None:
    [line] = problems(tmp_path, "", {variable: value})
    assert line.startswith(f"environment variable {variable}: {expected}")


def test_an_error_in_an_option_says_so(tmp_path: Path) -> None:
    [line] = problems(tmp_path, "", overrides={"ssh.listen": "2222"})
    assert line.startswith("command line: ssh.listen must be HOST:PORT")


def test_a_section_that_is_none_is_told_though_the_environment_has_it(tmp_path: Path) -> None:
    [line] = problems(tmp_path, "ssh = 3", {"HIVE_SSH__MAX_TRIES": "3"})
    assert line.startswith("hive.toml:1: ssh is a section")


def test_all_errors_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "[ssh]\nlisten = '1'\n[web]\nx = 1", {"HIVE_NO__SUCH": "1"})
    assert len(found) == 3


def test_names_that_are_no_settings_are_left_alone() -> None:
    environment = {"HIVE_CONFIG": "x", "HIVE_DATA_DIR": "x", "HIVES": "x"}
    assert config.load(None, environment=environment) == Settings()
    assert config.unknown_variables(environment) == []


def test_variables_that_kubernetes_adds_are_a_warning_and_no_error() -> None:
    environment = {
        "HIVE_PORT": "tcp://10.0.0.7:2222",
        "HIVE_PORT_2222_TCP_ADDR": "10.0.0.7",
        "HIVE_SERVICE_HOST": "10.0.0.7",
        "HIVE_SSH": "{}",
    }
    assert config.load(None, environment=environment) == Settings()
    warnings = "\n".join(config.unknown_variables(environment))
    assert all(name in warnings for name in environment)
    assert "10.0.0.7" not in warnings


def test_a_setting_with_one_underscore_too_few_is_a_warning_with_the_right_name() -> None:
    [warning] = config.unknown_variables({"HIVE_SSH_LISTEN": "0.0.0.0:22"})
    assert "HIVE_SSH_LISTEN" in warning
    assert warning.endswith("did you mean HIVE_SSH__LISTEN?")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert config.load(None, environment={"HIVE_DATABASE__URL": ""}).database.url is None


def test_a_password_is_neither_shown_nor_repeated_in_errors(tmp_path: Path) -> None:
    url = "postgres://hive:hunter2@db.example.org/hive"
    settings = load(tmp_path, f"[database]\nurl = '{url}'")
    assert settings.database.url is not None
    assert settings.database.url.get_secret_value() == url
    assert "hunter2" not in repr(settings) + settings.model_dump_json()
    for wrong in (url.replace("postgres", "oracle"), url.replace("org/", "org:x/")):
        assert "hunter2" not in str(problems(tmp_path, f"[database]\nurl = '{wrong}'"))


def test_lists_come_from_the_file_and_from_the_environment(tmp_path: Path) -> None:
    keys = (Path("/a/key"), Path("/b/key"))
    assert load(tmp_path, "[ssh]\nhost_keys = ['/a/key', '/b/key']").ssh.host_keys == keys
    environment = {
        "HIVE_SSH__HOST_KEYS": "/a/key:/b/key",
        "HIVE_WEB__TRUSTED_PROXIES": "10.0.0.0/8, ::1",
    }
    settings = load(tmp_path, "", environment)
    assert settings.ssh.host_keys == keys
    assert settings.web.trusted_proxies == ("10.0.0.0/8", "::1/128")


def test_a_network_of_ipv4_addresses_written_as_ipv6_is_that_ipv4_network(tmp_path: Path) -> None:
    """Visitors come in as IPv4 addresses: else such a proxy would never be found again."""
    settings = load(tmp_path, "[web]\ntrusted_proxies = ['::ffff:10.0.0.0/104']")
    assert settings.web.trusted_proxies == ("10.0.0.0/8",)


@pytest.mark.parametrize("none", ["0", "'0'", "'none'"])
def test_a_size_limit_can_be_lifted(tmp_path: Path, none: str) -> None:
    assert load(tmp_path, f"[child]\nmemory_bytes = {none}").child.memory_bytes is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:2222", "0.0.0.0", 2222),  # noqa: S104
        ("[::1]:0", "::1", 0),
        ("hive.example.org:65535", "hive.example.org", 65535),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    settings = config.load(None, environment={"HIVE_SSH__LISTEN": text})
    assert settings.ssh.addresses == ((host, port),)
    assert settings.ssh.listen == (text,)


@pytest.mark.parametrize(
    "given", ['"[::1]:22, 10.0.0.1:22"', '["[::1]:22", "10.0.0.1:22"]', '"[::1]:22,10.0.0.1:22"']
)
def test_several_addresses_are_a_list_and_ipv4_comes_first(tmp_path: Path, given: str) -> None:
    settings = load(tmp_path, f"[ssh]\nlisten = {given}")
    assert [str(one) for one in settings.ssh.addresses] == ["10.0.0.1:22", "[::1]:22"]


def test_without_a_word_both_families_are_listened_on() -> None:
    settings = config.load(None, environment={})
    assert [str(one) for one in settings.ssh.addresses] == ["0.0.0.0:2222", "[::]:2222"]
    assert [str(one) for one in settings.web.addresses] == ["127.0.0.1:8080", "[::1]:8080"]


@pytest.mark.parametrize(
    "text", ["2222", ":2222", "::1:2222", "[::1]", "[a]:1", "a:65536", "a:-1", "a b:1", "a:٣", "a:"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match=r"ssh\.listen must"):
        config.load(None, environment={"HIVE_SSH__LISTEN": text})


def test_paths_follow_from_the_data_directory(tmp_path: Path) -> None:
    paths = config.load(None, data_dir=tmp_path, environment={}).paths
    assert paths.database == tmp_path / "hive.sqlite3"
    assert paths.control_socket.parent == paths.run == tmp_path / "run"
    assert paths.repositories == tmp_path / "repos"
    assert paths.host_key("ed25519") == tmp_path / "ssh_host_ed25519_key"


def test_repositories_lie_under_the_storage_root_where_one_is_set(tmp_path: Path) -> None:
    environment = {"HIVE_STORAGE__ROOT": "/srv/borg"}
    paths = config.load(None, data_dir=tmp_path, environment=environment).paths
    assert paths.repositories == Path("/srv/borg")


def test_the_data_directory_of_a_plain_user_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIVE_DEFAULT_DATA_DIR", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert default_data_dir() == Path("/home/alice/.local/share/borg-hive")
    monkeypatch.setenv("XDG_DATA_HOME", "/data/alice")
    assert default_data_dir() == Path("/data/alice/borg-hive")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/borg-hive")


def test_a_wished_default_gives_way_to_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIVE_DEFAULT_DATA_DIR", "/checkout/data")
    assert Settings().server.data_dir == Path("/checkout/data")
    settings = load(tmp_path, "[server]\ndata_dir = '/named'")
    assert settings.server.data_dir == Path("/named")
