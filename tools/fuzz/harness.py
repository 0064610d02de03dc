"""Runs the cases in a process of its own, which may use 1 GB and 10 s a case, and watches what it does.

Reading must end in a value or in an :class:`deepconvsep.errors.InputError`. It must not start a program, open a
connection, let a pickle name anything, or write, rename or remove anything outside of the case's folder: audit events
(:pep:`578`) tell.
"""
import contextlib
import mmap
import os
import random
import resource
import shutil
import signal
import struct
import sys
import tempfile
import traceback
from dataclasses import dataclass, field

from deepconvsep.errors import InputError

SECONDS = 10
BYTES = 1 << 30

#: What no reader has to do.
FORBIDDEN = ('os.system', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.fork', 'subprocess.Popen', 'socket.connect',
             'pickle.find_class', 'os.kill', 'os.putenv')
#: What changes files, with the places of the paths among the arguments.
CHANGES = {'os.mkdir': (0,), 'os.rename': (0, 1), 'os.remove': (0,), 'os.rmdir': (0,), 'os.link': (1,),
           'os.symlink': (1,), 'os.truncate': (0,), 'os.chmod': (0,), 'os.chown': (0,), 'os.utime': (0,),
           'shutil.rmtree': (0,), 'shutil.move': (0, 1)}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Report:
    """Cases that were read, cases that were refused with an InputError, and (case, what happened) of all others."""

    read: int = 0
    refused: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)


class Forbidden(BaseException):
    """Something that a reader must not do; no ``except Exception`` stops it."""


class _Watch:
    """The audit hook: on while a case is read."""

    def __init__(self, folder):
        self.folder, self.on, self.seen = os.path.realpath(folder), False, None
        sys.addaudithook(self)

    def __call__(self, event, args):
        if not self.on:
            return
        if event in FORBIDDEN:
            self._forbid('%s %.200r' % (event, args[:2]))
        elif event == 'open':
            path, mode, flags = args
            if isinstance(path, (str, bytes)) and (set(mode or '') & set('wax+') or (flags or 0) & WRITING):
                self._inside(event, path)
        elif event in CHANGES:
            for place in CHANGES[event]:
                if isinstance(args[place], (str, bytes)):
                    self._inside(event, args[place])

    def _inside(self, event, path):
        self.on = False
        path = os.fsdecode(path)
        # the link itself is changed, its target is written to
        real = os.path.realpath(path) if event == 'open' else os.path.join(
            os.path.realpath(os.path.dirname(path) or '.'), os.path.basename(path))
        self.on = True
        # nothing can be made in a file or a device
        place = os.path.dirname(real)
        possible = not real.startswith(('/dev/null', '/dev/zero')) and not os.path.isfile(place)
        if possible and os.path.commonpath([real, self.folder]) != self.folder:
            self._forbid('%s outside of the folder: %s' % (event, path))

    def _forbid(self, what):
        self.seen = what
        raise Forbidden(what)


def run(reader, seed, cases):
    """Run the cases with these numbers.

    Parameters
    ----------
    reader : base.Reader
    seed : int
    cases : range

    Returns
    -------
    Report
    """
    report = Report()
    memory = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix='fuzz', dir=memory) as folder, mmap.mmap(-1, 24) as shared:
        following = cases.start
        while following < cases.stop:
            shared[:] = struct.pack('=3q', following, 0, 0)
            incoming, outgoing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(incoming)
                _child(reader, seed, range(following, cases.stop), folder, shared, outgoing)
            os.close(outgoing)
            with open(incoming, 'rb') as lines:
                for line in lines:
                    number, _, what = line.decode('utf-8', 'replace').rstrip('\n').partition(' ')
                    report.failures.append((int(number), what))
            status = os.waitpid(child, 0)[1]
            following, read, refused = struct.unpack('=3q', shared[:])
            report.read, report.refused = report.read + read, report.refused + refused
            if status:
                number = os.WTERMSIG(status)
                report.failures.append((following, 'took more than %d s' % SECONDS if number == signal.SIGALRM
                                        else 'the process ended with signal %d, status %d' % (number, status)))
                following += 1
    return report


def _child(reader, seed, cases, folder, shared, outgoing):
    """The process that reads. It never returns."""
    code = 1
    try:
        watch, read, refused = _prepare(reader, folder), 0, 0
        for case in cases:
            struct.pack_into('=3q', shared, 0, case, read, refused)
            try:
                what = _one(reader, seed, case, folder, watch)
            except BaseException as error:
                what = _describe(error)
            if what is None:
                read += 1
            elif what == 'refused':
                refused += 1
            else:
                os.write(outgoing, ('%d %s\n' % (case, ascii(what)[1:-1])).encode())
        struct.pack_into('=3q', shared, 0, cases.stop, read, refused)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _prepare(reader, folder):
    """Everything that is done once, before the limits."""
    sys.dont_write_bytecode = True
    tempfile.tempdir = os.environ['TMPDIR'] = os.path.join(folder, 'tmp')
    os.makedirs(tempfile.tempdir, exist_ok=True)
    os.chdir(folder)
    reader.warm_up()
    watch = _Watch(folder)
    with open('/proc/self/statm') as source:
        base = int(source.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (base + BYTES, base + BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return watch


def _one(reader, seed, case, folder, watch):
    """Read one case: None, 'refused' or what is wrong."""
    place = os.path.join(folder, 'case')
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    arguments = reader.make(random.Random('%s %d %d' % (reader.name, seed, case)), place)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    watch.on, watch.seen = True, None
    try:
        with contextlib.redirect_stdout(reader.output), contextlib.redirect_stderr(reader.output):
            reader.read(*arguments)
        result = None
    except InputError as error:
        result = 'refused'
        while error is not None:
            if isinstance(error, MemoryError):
                result = 'more than 1 GB of memory'
            error = error.__cause__ or error.__context__
    finally:
        watch.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
    return watch.seen or result


def _describe(error):
    where = traceback.extract_tb(error.__traceback__)[-1]
    return '%s: %.200s (%s:%d)' % (type(error).__name__, error, os.path.basename(where.filename), where.lineno)


def again(reader, seed, case):
    """Read one case in this process, with its traceback, and leave its files where they are."""
    folder = tempfile.mkdtemp(prefix='fuzz')
    print('%s case %d, seed %d, in %s' % (reader.name, case, seed, folder))
    watch = _prepare(reader, folder)
    print(_one(reader, seed, case, folder, watch) or 'read')
