from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.errors import RefusalCause
from sshgate.command import (
    Borg2Serve,
    BorgServe,
    CommandRefused,
    Request,
    Rsync,
    ShowStatus,
    parse,
    rebuild_rsync,
)

BLOB = "e.iLsfxCIvu"
ARCHIVE = f"-logDtpr{BLOB}"


@pytest.mark.parametrize(
    ("command", "request_"),
    [
        (None, ShowStatus(as_json=False)),
        ("", ShowStatus(as_json=False)),
        ("   ", ShowStatus(as_json=False)),
        ("status", ShowStatus(as_json=False)),
        ("status --json", ShowStatus(as_json=True)),
        ("borg serve", BorgServe(None)),
        ("'borg' serve", BorgServe(None)),
        ("/usr/bin/borg-1.4 serve", BorgServe(None)),
        ("sudo borg serve", BorgServe(None)),
        ("nice borg1 serve", BorgServe(None)),
        ("nice -n 10 borg serve", BorgServe(None)),
        ("VAR=1 borg serve", BorgServe(None)),
        ("borg --foo serve", BorgServe(None)),
        ("backup-wrapper serve", BorgServe(None)),
        ("python3 -m borg serve", BorgServe(None)),
        ("borg serve --umask=077", BorgServe(None)),
        ("borg serve --umask=077 --debug", BorgServe("debug")),
        ("borg serve --info", BorgServe("info")),
        ("borg serve -v", BorgServe("info")),
        ("borg serve --verbose", BorgServe("info")),
        ("borg serve --warning", BorgServe("warning")),
        ("borg serve --error", BorgServe("error")),
        ("borg serve --critical", BorgServe("critical")),
        ("borg serve --debug --debug-topic=repository.x", BorgServe("debug")),
        ("borg serve --storage-quota=5000000000", BorgServe(None)),
        ("borg serve --restrict-to-path /", BorgServe(None)),
        ("borg serve --append-only --umask=000", BorgServe(None)),
        ("borg serve --rest --backend FILE:repo", Borg2Serve("repo")),
        ("borg serve --rest --backend FILE:.", Borg2Serve(".")),
        ("borg serve --rest --backend FILE:~/r", Borg2Serve("~/r")),
        ("borg serve --rest --backend=FILE:/abs", Borg2Serve("/abs")),
        ("borg serve --rest --backend FILE:/abs/re po;x", Borg2Serve("/abs/re po;x")),
        ("borg serve --rest --backend FILE:it's", Borg2Serve("it's")),
        ("borg serve --rest --backend 'FILE:a b'", Borg2Serve("a b")),
        (f"rsync --server {ARCHIVE} . .", Rsync(False, (ARCHIVE,))),
        (f"/usr/bin/rsync --server --sender {ARCHIVE} . ''", Rsync(True, (ARCHIVE,))),
        ("rsync --server -logDtpre.iLsfxC . /", Rsync(False, ("-logDtpre.iLsfxC",))),
        (
            f"rsync --server {ARCHIVE} --log-format=X --stats --partial . ~/",
            Rsync(False, (ARCHIVE, "--log-format=X", "--stats", "--partial")),
        ),
        (
            f"rsync --server --sender -d{BLOB} -B4096 --list-only . ./",
            Rsync(True, (f"-d{BLOB}", "-B4096", "--list-only")),
        ),
    ],
)
def test_what_clients_send_is_understood(command: str | None, request_: Request) -> None:
    assert parse(command) == request_


def refusal(command: str) -> str:
    with pytest.raises(CommandRefused) as caught:
        parse(command)
    assert caught.value.cause is RefusalCause.COMMAND
    return caught.value.message


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("bash", "This server runs borg serve, rsync and status only, not 'bash'."),
        (
            "borg create ::x /",
            "This server runs borg serve, rsync and status only, not 'borg create'",
        ),
        ("borg list", "not 'borg list'"),
        ("borg create serve", "not 'borg create'"),
        ("borg --version", "not 'borg --version'"),
        ("borg", "not 'borg'"),
        ("git-upload-pack '/x.git'", "not 'git-upload-pack'"),
        ("scp -t .", "not 'scp'"),
        ("scp -t serve", "not 'scp'"),
        ("hg -R x serve --stdio", "not 'hg'"),
        ("serve", "not 'serve'"),
        ("''", "empty command"),
        ("status --xml", "status knows --json only"),
        ("borg serve; id", "No shell runs here: 'serve;'"),
        ("borg serve && sh", "No shell runs here: '&&'"),
        ("borg serve | tee x", "No shell runs here"),
        ("borg serve $(id)", "No shell runs here"),
        ("borg serve `id`", "No shell runs here"),
        ("borg serve > /tmp/x", "No shell runs here"),
        ("borg serve --rest", "--backend FILE:PATH is missing"),
        ("borg serve --backend FILE:x", "goes with --rest only"),
        ("borg serve --rest --backend", "--backend FILE:PATH is missing"),
        ("borg serve --rest --backend FILE:", "The backend must be FILE:PATH"),
        ("borg serve --rest --backend sftp://h/x", "The backend must be FILE:PATH"),
        ("borg create --backend FILE:x", "not 'borg create'"),
        ("borg serve 'x", "quotes"),
        ("borg serve" + " " * 4096 + "x", "longer than 4096"),
    ],
)
def test_what_is_not_on_offer_is_refused_in_words(command: str, says: str) -> None:
    assert says in refusal(command)


@pytest.mark.parametrize(
    "bad", ["\n", "\r", "\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\u202e", "\udcff"]
)
def test_control_and_invisible_characters_are_refused(bad: str) -> None:
    assert "control or invisible" in refusal(f"borg serve {bad}x")


def test_a_refusal_repeats_little_of_what_was_sent() -> None:
    assert len(refusal("x" * 4000)) < 150


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (f"-slogDtpr{BLOB}", "--no-secluded-args"),
        (f"-slogDtpr{BLOB}", "--no-protect-args (--no-s works with both)"),
        ("-s", "--no-secluded-args"),
        (f"-lL{BLOB}", "-L (--copy-links)"),
        (f"-lk{BLOB}", "-k (--copy-dirlinks)"),
        (f"-lK{BLOB}", "-K (--keep-dirlinks)"),
        (f"-lR{BLOB}", "-R (--relative)"),
        (f"-lA{BLOB}", "-A (--acls)"),
        (f"-lX{BLOB}", "-X (--xattrs)"),
        (f"-lb{BLOB}", "-b (--backup)"),
        (f"-lU{BLOB}", "-U (--atimes)"),
        (f"-lN{BLOB}", "-N (--crtimes)"),
        (f"-ly{BLOB}", "-y (--fuzzy)"),
        (f"-lZ{BLOB}", "option -Z is not allowed here"),
        (f"{ARCHIVE} --log-file=/tmp/x", "option --log-file is not allowed here"),
        (f"{ARCHIVE} --files-from /etc/passwd", "--files-from"),
        (f"{ARCHIVE} --backup-dir /etc", "--backup-dir"),
        (f"{ARCHIVE} --partial-dir .p", "--partial-dir"),
        (f"{ARCHIVE} --temp-dir /tmp", "--temp-dir"),
        (f"{ARCHIVE} --link-dest /x", "--link-dest"),
        (f"{ARCHIVE} --usermap=*:root", "--usermap"),
        (f"{ARCHIVE} --remove-source-files", "--remove-source-files"),
        (f"{ARCHIVE} --sender", "--sender"),
        (f"{ARCHIVE} --server", "--server"),
        (f"{ARCHIVE} --del", "--del"),
        (f"{ARCHIVE} --", "option -- is not allowed"),
        (f"{ARCHIVE} --stats=1", "--stats takes no value"),
        (f"{ARCHIVE} --timeout 60", "--timeout cannot be ''"),
        (f"{ARCHIVE} --timeout=1e9", "--timeout cannot be '1e9'"),
        (f"{ARCHIVE} --timeout={'9' * 60}", "--timeout cannot be"),
        (f"{ARCHIVE} --bwlimit=\u0661", "--bwlimit cannot be"),
        (f"{ARCHIVE} '--log-format=$(id)'", "--log-format cannot be"),
        (f"{ARCHIVE} --x\u00e9", "'--x\u00e9'"),
        (f"{ARCHIVE} {ARCHIVE}", "argument"),
        (f"{ARCHIVE} file", "argument 'file'"),
        ("--daemon", "--daemon"),
        ("--stats", "3.1 or newer"),
        ("-logDtpr", "3.1 or newer"),
        ("", "3.1 or newer"),
    ],
)
def test_an_rsync_option_off_the_list_is_refused_by_name(options: str, says: str) -> None:
    assert says in refusal(f"rsync --server {options} . .")


@pytest.mark.parametrize(
    "option", ["--delete", "--delete-excluded", "--max-delete=3", "--force", "--sparse"]
)
def test_deleting_is_for_receivers(option: str) -> None:
    assert parse(f"rsync --server {ARCHIVE} {option} . .") == Rsync(False, (ARCHIVE, option))
    assert option.partition("=")[0] in refusal(f"rsync --server --sender {ARCHIVE} {option} . .")


def test_listing_is_for_senders() -> None:
    assert "--list-only" in refusal(f"rsync --server {ARCHIVE} --list-only . .")
    assert "-d (--dirs)" in refusal(f"rsync --server -d{BLOB} . .")


@pytest.mark.parametrize(
    "paths", ["", "/etc", "../x", "sub", ". .", ". --delete", "~root", "link/", ".\\ "]
)
def test_rsync_reaches_the_repository_itself_only(paths: str) -> None:
    assert "one path here, LOGIN@HOST:" in refusal(f"rsync --server {ARCHIVE} . {paths}")


def test_rsync_is_the_other_end_of_a_client_only() -> None:
    assert "other end" in refusal("rsync -a /etc/ host:")
    assert "other end" in refusal("rsync")


def test_a_rebuilt_rsync_command_ends_with_our_options_and_no_path() -> None:
    wanted = Rsync(sending=True, options=(ARCHIVE, "--stats"))
    argv = rebuild_rsync(wanted, rsync="/usr/bin/rsync", forced=["--munge-links"])
    assert argv == [
        *("/usr/bin/rsync", "--server", "--sender"),
        *(ARCHIVE, "--stats", "--munge-links", ".", "."),
    ]


WORDS = st.sampled_from(
    [
        *(
            "borg",
            "serve",
            "--rest",
            "--backend",
            "FILE:x",
            "--debug",
            "rsync",
            "--server",
            "--sender",
        ),
        *(
            ARCHIVE,
            "-s",
            "--stats",
            "--log-file=/x",
            "--delete",
            "--timeout=3",
            ".",
            "/",
            "~/",
            "status",
        ),
        *(
            "--json",
            ";",
            "$(id)",
            "'",
            '"',
            "\\",
            "\n",
            "\u202e",
            "/etc",
            "-e",
            "--",
            "",
            "x" * 500,
        ),
    ]
)
COMMANDS = st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=12).map(" ".join))


@given(COMMANDS)
def test_any_text_is_a_request_or_one_printable_line(text: str) -> None:
    message = None
    try:
        assert isinstance(parse(text), Request)
    except CommandRefused as refused:
        message = refused.message
    if message is not None:
        assert message.isprintable()
        assert 0 < len(message) <= 300


RSYNC_WORDS = st.one_of(WORDS, st.from_regex(r"\A--?[a-zA-Z-]{1,12}(=[ -~]{0,8})?\Z"))


@given(st.booleans(), st.lists(RSYNC_WORDS, max_size=5), st.sampled_from(["", ".", "/", "~/"]))
def test_no_rebuilt_rsync_command_names_a_path(sending: bool, words: list[str], path: str) -> None:
    direction = "--sender " if sending else ""
    command = f"rsync --server {direction}{ARCHIVE} {' '.join(words)} . '{path}'"
    try:
        request = parse(command)
    except CommandRefused:
        return
    assert isinstance(request, Rsync)
    argv = rebuild_rsync(request, rsync="rsync", forced=[])
    assert argv[:2] == ["rsync", "--server"]
    assert argv[-2:] == [".", "."]
    assert argv.count("--sender") == request.sending
    options = argv[3 if request.sending else 2 : -2]
    assert all(option.startswith("-") and "/" not in option for option in options)
    assert "--log-file=/x" not in options
