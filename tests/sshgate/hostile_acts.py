"""What a program tries that was taken over, in Python; `up` is the directory above its own."""

from __future__ import annotations

HOSTILE_READS = {
    "the shadow file": "open('/etc/shadow').read()",
    "another repository": "open(up + '/other/secret').read()",
    "its listing": "os.listdir(up + '/other')",
    "the parent's listing": "os.listdir(up)",
    "another one through a planted link": "open('planted/secret').read()",
    "another process": "open(f'/proc/{os.getppid()}/environ').read()",
    "another one's command line": "open(f'/proc/{os.getppid()}/cmdline').read()",
    "root's home": "os.listdir('/root')",
}
HOSTILE_WRITES = {
    "a file of another": "open(up + '/other/secret', 'w')",
    "a file of another, cut": "os.truncate(up + '/other/secret', 0)",
    "a new file beside": "open(up + '/new', 'w')",
    "a new directory beside": "os.mkdir(up + '/new')",
    "a file through a planted link": "open('planted/new', 'w')",
    "a file removed": "os.unlink(up + '/other/secret')",
    "itself moved": "os.rename(up + '/own', up + '/elsewhere')",
    "a foreign file taken": "os.rename(up + '/other/secret', 'taken')",
    "a foreign file linked": "os.link(up + '/other/secret', 'taken')",
    "a link planted": "os.symlink('/etc', 'etc')",
    "a device": "os.mknod('device', 0o20600, os.makedev(1, 3))",
    "a fifo": "os.mkfifo('fifo')",
    "a socket": "socket.socket(socket.AF_UNIX).bind('socket')",
    "a temporary file": "open('/tmp/hive-hostile', 'w')",
}
HOSTILE_ACTS = {
    "a connection": "socket.create_connection(('127.0.0.1', PORT))",
    "a server": "socket.create_server(('127.0.0.1', 0))",
    "a server's end": "os.kill(os.getppid(), 15)",
    "an abstract socket": "socket.socket(socket.AF_UNIX).connect('\\0hive-test-PID')",
    "a program of its own": "os.chmod('tool', 0o700); subprocess.run(['./tool'], check=True)",
}
