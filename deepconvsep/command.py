"""Flags and logging: the small interface that the original's scripts used.

The package called "climate" on PyPI is unrelated and empty. This module keeps the names (`add_arg`,
`add_group`, `add_mutex`, `parse_args`, `parse_known_args`, `get_logger`, `enable_default_logging`)
on top of argparse and logging, and adds :func:`run`, which turns exceptions into exit codes.

Exit codes: 0 all went well, 1 an input failed, 2 wrong usage, 130 interrupted, 143 terminated.
"""
import _thread
import argparse
import atexit
import codecs
import contextlib
import io
import logging
import math
import os
import re
import signal
import sys
import threading

from deepconvsep import __version__, files, process
from deepconvsep.errors import InputError, UsageError

#: No file of flags is nearly as large: bytes.
MAX_FLAGS = 1 << 20


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Defaults are shown where they say something, and examples keep their lines."""

    def _get_help_string(self, action):
        if action.nargs == 0 or action.default in (None, []) or '(default' in (action.help or ''):
            return action.help
        if isinstance(action.default, bool):   # of a switch, given as a number
            return '%s (default: %d)' % (action.help, action.default)
        return super()._get_help_string(action)

    def _fill_text(self, text, width, indent):
        return text if text.startswith('example') else super()._fill_text(text, width, indent)


def example_of(text):
    """The epilog of a script: the commands that are indented in its docstring; None when there are none.

    >>> example_of('Train.\\n\\n    python a.py --db DB\\n\\nMore.')
    'example:\\n    python a.py --db DB'
    """
    found = [line.strip() for line in (text or '').splitlines() if re.match(r'    +(\w+=\S+ )*python', line)]
    return '\n    '.join(['examples:' if len(found) > 1 else 'example:'] + found) if found else None


class Flags(argparse.Namespace):
    """What was parsed and, apart from it, so that ``vars()`` gives flags only, the names of those that were typed."""

    __slots__ = ('given',)


class Parser(argparse.ArgumentParser):
    """An argparse parser that shows defaults, reads ``@file`` arguments and reports errors in one line.

    The example that ends the help is that of the docstring of the script that runs. Where argcomplete is installed,
    flags are completed by the shell. What it parses has an attribute ``given``: the names of the flags that were typed.

    Parameters
    ----------
    version : bool
        Whether there is a flag ``--version``; a user's own script may have one that means something else.
    kwargs
        As for `argparse.ArgumentParser`.
    """

    def __init__(self, version=True, **kwargs):
        kwargs.setdefault('formatter_class', _Help)
        kwargs.setdefault('epilog', example_of(getattr(sys.modules.get('__main__'), '__doc__', None)))
        kwargs.setdefault('fromfile_prefix_chars', '@')
        kwargs.setdefault('allow_abbrev', False)
        super().__init__(**kwargs)
        if version:
            self.add_argument('--version', action='version', version='DeepConvSep %s' % __version__)

    add_arg = argparse.ArgumentParser.add_argument
    add_group = argparse.ArgumentParser.add_argument_group
    add_mutex = argparse.ArgumentParser.add_mutually_exclusive_group

    def parse_args(self, args=None, namespace=None):
        if '_ARGCOMPLETE' in os.environ:   # the shell asks for completions; argcomplete calls parse_known_args for them
            import argcomplete
            argcomplete.autocomplete(self)
        flags = super().parse_args(args, Flags() if namespace is None else namespace)
        texts = self._read_args_from_files(sys.argv[1:] if args is None else args)
        typed = {text.split('=')[0] if text.startswith('--') else text[:2] for text in texts}
        flags.given = frozenset(action.dest for action in self._actions if typed.intersection(action.option_strings))
        return flags

    def _read_args_from_files(self, arg_strings):
        """Replace ``@file`` by the lines of the file; argparse fails on bytes that are not text and on circles."""
        expanded = []
        for text in arg_strings:
            if not text or text[0] not in (self.fromfile_prefix_chars or ''):
                expanded.append(text)
                continue
            try:
                with files.open_regular(text[1:]) as source:
                    content = source.read(MAX_FLAGS + 1)
                if len(content) > MAX_FLAGS:
                    self.error('%s is larger than %d MB, expected a file of flags' % (text[1:], MAX_FLAGS >> 20))
                expanded += content.decode().splitlines()
            except OSError as error:
                self.error('cannot read the flags in %s: %s' % (text[1:], error.strerror))
            except ValueError:
                self.error('cannot read the flags in %s: it is not text' % text[1:])
        return expanded

    def error(self, message):
        self.exit(2, '%s: error: %s (see --help)\n' % (self.prog, one_line(message)))


_PARSER = Parser(version=False)


def add_arg(*args, **kwargs):
    """Add a flag to the script's parser; arguments as `argparse.ArgumentParser.add_argument`."""
    return _PARSER.add_arg(*args, **kwargs)


def add_group(*args, **kwargs):
    """Add a titled group of flags to the script's parser and return it."""
    return _PARSER.add_group(*args, **kwargs)


def add_mutex(*args, **kwargs):
    """Add a group of flags of which only one may be given and return it."""
    return _PARSER.add_mutex(*args, **kwargs)


def parse_args(args=None, **overrides):
    """Parse the command line (or `args`); keyword arguments replace defaults of the same name."""
    _PARSER.set_defaults(**overrides)
    return _PARSER.parse_args(args)


def parse_known_args(args=None, **overrides):
    """Like :func:`parse_args`, but return the flags and the list of unknown arguments."""
    _PARSER.set_defaults(**overrides)
    return _PARSER.parse_known_args(args)


# --- types of flags -----------------------------------------------------------------------------------

def _number(convert, accept, expected):
    def read(text):
        with contextlib.suppress(ValueError, OverflowError):
            value = convert(text)
            if math.isfinite(value) and accept(value):
                return value
        raise argparse.ArgumentTypeError('got %r, expected %s' % (text, expected))
    return read


positive_int = _number(int, lambda value: value > 0, 'a whole number above 0')
non_negative_int = _number(int, lambda value: value >= 0, 'a whole number, 0 or more')
finite_float = _number(float, lambda value: True, 'a number')
positive_float = _number(float, lambda value: value > 0, 'a number above 0')
non_negative_float = _number(float, lambda value: value >= 0, 'a number, 0 or more')
share = _number(float, lambda value: 0 <= value < 1, 'a share from 0 up to, not including, 1')


def path(text):
    """A path or a name; an empty one, which an unset variable of a shell gives, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("got '', expected a path: is a variable of the shell empty?")
    return text


def switch(text):
    """A flag of the original that is given as a number: 0/1, also yes/no, true/false."""
    values = {'0': False, 'false': False, 'no': False, '1': True, 'true': True, 'yes': True}
    if str(text).lower() not in values:
        raise argparse.ArgumentTypeError('got %r, expected 0 or 1' % text)
    return values[str(text).lower()]


# --- logging ------------------------------------------------------------------------------------------

def get_logger(name):
    """A logger of the standard library, by name."""
    return logging.getLogger(name)


class _OneLine(logging.Formatter):
    """A record is a line, whatever the names of files in it."""

    def formatMessage(self, record):
        return one_line(super().formatMessage(record))


def enable_default_logging(level='INFO'):
    """Log messages of `level` and above to standard error, a line each."""
    if not any(getattr(handler, 'of_climate', False) for handler in logging.root.handlers):
        handler = logging.StreamHandler()
        handler.of_climate = True
        handler.setFormatter(_OneLine('%(levelname).1s %(name)s: %(message)s'))
        logging.root.addHandler(handler)
    logging.root.setLevel(level)


def one_line(text):
    """Any text as one printable line: line breaks and other control characters are shown escaped."""
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode('ascii') for c in str(text).strip())


def describe(error):
    """What an exception says as one line, the same everywhere; of the operating system's, the file and the reason."""
    if isinstance(error, OSError) and error.strerror:
        return one_line('%s: %s' % (error.filename, error.strerror) if error.filename else error.strerror)
    return one_line(error) or type(error).__name__


def _as_names(error):
    """How names of files are printed that are no text: byte by byte as they are, anything else escaped."""
    try:
        return codecs.lookup_error('surrogateescape')(error)
    except UnicodeError:
        return codecs.lookup_error('backslashreplace')(error)


def define_names():
    """Define how text files that are opened with ``errors='deepconvsep.names'`` print names of files."""
    codecs.register_error('deepconvsep.names', _as_names)


# --- running ------------------------------------------------------------------------------------------

def run(main, argv=None):
    """Run a script's ``main(argv)`` and exit with its code; a user's mistake is one line, never a traceback.

    `main` returns an exit code or None (0). :class:`deepconvsep.errors.InputError` and failures of the operating
    system (a full disk, a missing permission) exit with 1, :class:`deepconvsep.errors.UsageError` with 2.
    """
    handle_interruptions()
    process.keep_memory()
    process.end_quickly()
    define_names()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='deepconvsep.names')
    try:
        code = main(argv) or 0
        if sys.stdout is not None:  # which it is when it was closed before the start
            sys.stdout.flush()
    except UsageError as error:
        code = _complain(error, 2)
    except InputError as error:
        code = _complain(error, 1)
    except BrokenPipeError:  # whoever read our output went away
        code = 1
    except OSError as error:
        code = _complain(describe(error), 1)
    except MemoryError:
        code = _complain('out of memory: try a smaller --batch_size, or fewer processes', 1)
    except KeyboardInterrupt:
        code = _complain(*_how())
    _settle_stdout()
    sys.exit(code)


def _settle_stdout():
    """Flush stdout or, when it is full or gone, point it elsewhere: the interpreter would complain at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_interruptions = []


def _interrupt(number, frame):
    """The handler of SIGINT: as Python's own, but remembered, since an import may turn it into an ImportError.

    That of SIGTERM too, which clusters and containers send: without one no file that is begun would be removed.
    """
    _interruptions.append(number)
    if number == signal.SIGTERM:
        # it may come to the program and to its group, and what is begun is to be removed meanwhile
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def terminated():
    """Whether this program was interrupted by SIGTERM."""
    return signal.SIGTERM in _interruptions


def _how():
    """What is said of an interruption, and the exit code."""
    return ('terminated', 143) if terminated() else ('interrupted', 130)


def _uncaught(kind, error, traceback):
    """The hook of what nothing caught: an interruption, in a worker that waits or at the end, is one line."""
    if issubclass(kind, KeyboardInterrupt) or _interruptions and issubclass(kind, ImportError):
        os._exit(_complain(*_how()))
    sys.__excepthook__(kind, error, traceback)


def _unraisable(unraisable):
    """The hook of what Python ignores: an interruption in a callback, such as of the import system, comes again."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def _is_a_script():
    """Whether a program is running that leaves interruptions to Python, and not somebody at a prompt."""
    return sys.excepthook is sys.__excepthook__ and not hasattr(sys, 'ps1') \
        and threading.current_thread() is threading.main_thread() \
        and signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN) \
        and signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, signal.SIG_IGN)


def handle_interruptions():
    """Make an interruption one line wherever it comes; a prompt, or a program that has its own way, is left alone."""
    if _is_a_script():
        sys.excepthook, sys.unraisablehook = _uncaught, _unraisable
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is signal.SIG_IGN:   # in the background of a shell's script, or by nohup
                continue
            signal.signal(number, _interrupt)
            # the very end of the interpreter knows no hooks: there an interruption would kill a program that is done
            atexit.register(signal.signal, number, signal.SIG_IGN)


def _complain(error, code):
    folder, name = os.path.split(sys.argv[0])
    with contextlib.suppress(AttributeError, OSError, ValueError):   # of a stderr that was closed or is full
        sys.stderr.write('%s: error: %s\n' % (os.path.basename(folder) if name == '__main__.py' else name,
                                              one_line(error)))
    return code
