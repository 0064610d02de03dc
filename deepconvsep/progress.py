"""Progress bars: how far the work is, on a terminal and nowhere else. They never take the work down with them.

Lines are formatted by tqdm and drawn here: where drawing fails, the bar goes away and the work goes on.
"""
import logging
import os
import sys
import time

from deepconvsep import command

logger = command.get_logger('progress')

INTERVAL = 0.1   # seconds between two drawings

WIDE = '{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]'
# what has to be seen of a bar that is cut comes first
NARROW = '{percentage:3.0f}%|{bar}| {desc}'
ROOM_OF_WIDE = 70


class Bar:
    """A bar on standard error, to be used as a context manager; that without an exception ends it at 100 %.

    Parameters
    ----------
    total : int
        Steps in all; more than these are not shown. Nothing is drawn of no steps.
    unit, desc : str
        What is counted, behind the numbers; what is done.
    quiet : bool
        Draw nothing, as if standard error were no terminal.
    initial : int
        Steps that were done before.
    leave : bool
        Leave the last state on the terminal.
    per_unit : float
        Steps of which one unit consists. Steps should be whole: sums of rounded fractions drift away from the total.
    """

    def __init__(self, total, unit, desc, quiet=False, initial=0, leave=True, per_unit=1):
        self._total, self._done, self._initial = total, initial, initial
        self._unit, self._desc, self._leave, self._per_unit = unit, desc, leave, per_unit
        self._postfix, self._shown, self._drawn_at = '', 0, 0.
        self._visible = total > 0 and not quiet and _on_terminal()
        self._began = time.monotonic()

    def __enter__(self):
        if self._visible:
            for handler in logging.root.handlers:
                handler.addFilter(self._make_room)
            self._draw()
        return self

    def update(self, steps=1, postfix=None):
        """Count steps that are done; `postfix` is shown behind the numbers from now on."""
        self._done += steps
        if postfix is not None:
            self._postfix = postfix
        if self._visible and time.monotonic() - self._drawn_at >= INTERVAL:
            self._draw()

    def __exit__(self, kind, *_):
        if kind is None:
            self._done = self._total
        if self._visible:
            self._draw()
        if self._visible:
            self._write('\n') if self._leave else self._clear()
        self._visible = False
        for handler in logging.root.handlers:
            handler.removeFilter(self._make_room)

    def line(self, columns):
        """The bar as text of at most so many columns."""
        from tqdm import tqdm  # here: it fails where one of its variables in the environment makes no sense
        wide = columns >= ROOM_OF_WIDE
        return tqdm.format_meter(
            min(self._done, self._total), self._total, time.monotonic() - self._began, ncols=columns,
            prefix=self._desc if wide else self._desc or self._unit, unit=self._unit, postfix=self._postfix,
            unit_scale=1 / self._per_unit, initial=self._initial / self._per_unit,
            bar_format=WIDE if wide else NARROW, ascii=not _writes_blocks(sys.stderr))

    def _draw(self):
        columns = _columns()
        try:
            line = self.line(columns)
        except Exception as error:
            self._give_up(error)
            return
        self._write('\r' + line + ' ' * (min(self._shown, columns) - len(line)))
        self._shown, self._drawn_at = len(line), time.monotonic()

    def _clear(self):
        self._write('\r' + ' ' * min(self._shown, _columns()) + '\r')
        self._shown = 0

    def _write(self, text):
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error):
        self._visible = False
        logger.debug('no more progress is shown: %s', error)

    def _make_room(self, record):
        """A filter of logging handlers that lets all pass: a line that is logged begins where the bar began."""
        if self._visible and self._shown:
            self._clear()
        return True


def _on_terminal():
    try:
        return sys.stderr.isatty()
    except (AttributeError, ValueError):   # it was closed, before the start or later
        return False


def _columns():
    """Columns that a line may fill: not the last one, behind which some terminals begin a new line."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return (columns or 80) - 1   # a terminal that does not know its size says 0


def _writes_blocks(stream):
    try:
        '█'.encode(stream.encoding)
    except UnicodeError:
        return False
    return True
