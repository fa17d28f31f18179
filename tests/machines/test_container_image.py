"""The Dockerfile and the compose file that people start with."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.debian import skip_unless_possible
from tests.machines.images import Buildah, built
from tests.programs import CHECKOUT, borg_command

# Building the image takes minutes: one worker does it, for all tests of this file.
pytestmark = [pytest.mark.long, pytest.mark.timeout(2400), pytest.mark.xdist_group("image")]

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    skip_unless_possible("mmdebstrap", "buildah", "unshare", "ip")
    directory = tmp_path_factory.mktemp("image")
    yield built(directory)
    shutil.rmtree(directory)  # gigabytes


def test_the_image_takes_a_backup_on_its_own_ports(buildah: Buildah, tmp_path: Path) -> None:
    report = tmp_path / "report"
    report.mkdir()
    kind, *command = buildah.configuration()["Healthcheck"]["Test"]
    assert kind == "CMD"
    (report / "healthcheck").write_text("".join(f"{word}\n" for word in command))
    script = [HERE / "container_backup.sh", report, borg_command("1.4"), *buildah.command]
    namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*("unshare", *namespaces, "bash"), *map(str, script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = {file.name: file.read_text() for file in report.iterdir() if file.is_file()}
    assert said["identity"].strip() == "900"
    assert said["client-list"].split() == ["first"]
    assert "ok" in said["healthz-from-outside"]
    for name in ("doctor-before", "doctor"):
        assert "ERROR" not in said[name], said[name]
    for name in ("client-init", "client-create", "client-check", "server.log"):
        assert "Warning:" not in said[name], said[name]
        assert "Traceback" not in said[name], said[name]


def test_the_image_says_what_an_engine_has_to_know(buildah: Buildah) -> None:
    configuration = buildah.configuration()
    assert configuration["User"] == "900:900"
    assert set(configuration["ExposedPorts"]) == {"2222/tcp", "8080/tcp"}
    assert set(configuration["Volumes"]) == {"/data"}
    assert configuration["Entrypoint"] == ["hive"]
    assert configuration["Cmd"] == ["serve"]


def test_the_image_holds_neither_the_data_nor_the_tests_of_this_checkout(
    buildah: Buildah,
) -> None:
    container = buildah("from", "--pull-never", "borg-hive")
    found = buildah(
        *("run", "--isolation", "chroot", container, "--", "find", "/opt/borg-hive", "/data"),
    ).splitlines()
    assert any(path.endswith("/site-packages/hive/process/confine.py") for path in found)
    assert any(path.endswith("/site-packages/web/static/app.css") for path in found)
    assert not [path for path in found if path.startswith("/data/")]
    assert not [path for path in found if "/site-packages/tests/" in path]


def test_the_compose_file_publishes_ssh_to_all_and_the_web_to_this_machine_alone() -> None:
    skip_unless_possible("podman")
    done = subprocess.run(
        [PROGRAMS / "podman-compose", "-f", CHECKOUT / "docker-compose.yml", "config"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    understood = [line.strip() for line in done.stdout.splitlines()]
    assert [line for line in understood if re.fullmatch(r"- [\d.:]+", line)] == [
        "- 2222:2222",
        "- 127.0.0.1:8080:8080",
    ]
    assert {"- ALL", "- data:/data", "- no-new-privileges:true"} <= set(understood)


def test_the_dockerfile_is_as_its_linter_wants_it() -> None:
    done = subprocess.run(
        [PROGRAMS / "hadolint", CHECKOUT / "Dockerfile"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")
