"""Scripts on a pseudo-terminal: what a user who types the command sees."""
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading

from conftest import ROOT


class Seen:
    """What came to a terminal.

    Attributes
    ----------
    code : int
        The exit code.
    text : str
        All that was written, in order.
    lines : list of str
        What the terminal shows in the end, without the breaks of lines that are longer than it is wide.
    bars : list of str
        Every state of every progress bar.
    """

    def __init__(self, code, text):
        self.code, self.text = code, text
        self.lines = [_overwritten(line) for line in text.split('\n')]
        self.bars = [part for line in text.split('\n') for part in line.split('\r') if '%|' in part]


def _overwritten(line):
    """A line in which carriage returns go back to its start."""
    shown = ''
    for part in line.split('\r'):
        shown = part + shown[len(part):]
    return shown.rstrip()


def run(columns, *args, cwd=None, env=None, timeout=600):
    """Run a script of the project on a terminal of so many columns; returns what is :class:`Seen`."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    command = [sys.executable, os.path.join(ROOT, args[0])] + [str(arg) for arg in args[1:]]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd and str(cwd),
                               env=dict(os.environ, PYTHONIOENCODING='utf-8', **(env or {})), start_new_session=True)
    os.close(slave)
    killer = threading.Timer(timeout, process.kill)
    killer.start()
    parts = []
    try:
        while True:
            parts.append(os.read(master, 1 << 16))
    except OSError:   # how Linux says that nobody has the other end any more
        pass
    finally:
        os.close(master)
        code = process.wait()
        killer.cancel()
    return Seen(code, b''.join(parts).decode().replace('\r\n', '\n'))
