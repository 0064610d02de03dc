"""Several sound files separated at a time, on processes of their own or on a Dask cluster."""
import functools
import logging
import os
import threading
from typing import Any, NamedTuple

from deepconvsep import command, files, jobs, process
from deepconvsep.backend.flags import user_flags, wanted_gpu
from deepconvsep.errors import InputError
from deepconvsep.models import store


def add_flags(flags):
    """The flags that say where the inputs are separated."""
    flags.add_arg('--nprocs', type=command.positive_int, default=None,
                  help='number of processes, each of which takes an input at a time (default: the cores; 1 on a GPU)')
    flags.add_arg('--scheduler', metavar='ADDRESS', default=None,
                  help='separate on the Dask cluster of this scheduler, such as tcp://host:8786, instead')


def wanted(flags, count):
    """Whether `count` inputs are separated elsewhere than in this process, by the flags of :func:`add_flags`."""
    return flags.scheduler is not None or count > 1 and _processes(flags) is not None


def _processes(flags):
    """The number of processes; None on a GPU, whose memory they would share, unless it was given."""
    if flags.nprocs is None and flags.engine != 'numpy' and wanted_gpu(user_flags()):
        return None
    return flags.nprocs or process.cores()


def separate(plan, recipe, loaded, settings, flags):
    """Separate the files of a plan; parameters and result as of :func:`deepconvsep.separation.program.separate`.

    What a process warns of is logged here, after all are done, in the order of the plan, as the names are printed.
    """
    # the workers of a cluster are in other folders
    place = (lambda path: path) if flags.scheduler is None else os.path.abspath
    work = functools.partial(_work, recipe, place(loaded.path), settings, flags)
    items = [_Item(place(path), [place(output) for output in outputs], guide) for path, outputs, guide in plan]
    # one thread each: a matrix product on several differs in the last bit, and they gain little here
    outcomes = jobs.run(work, items, _processes(flags) or 1, flags.scheduler, quiet=flags.quiet, threads=1)
    failures, said = [], set()
    for (path, outputs, _), outcome in zip(plan, outcomes):
        error, records = (outcome.error, []) if outcome.result is None else outcome.result
        for record in records:
            # what is no warning is about the process, and the same for all of them
            if record not in said or record[1] >= logging.WARNING:
                said.add(record)
                name, level, message = record
                logging.getLogger(name).log(level, '%s', message)
        if error is not None:
            failures.append((path, error))
            continue
        for output in outputs:
            print(output, flush=True)
    return failures


class _Item(NamedTuple):
    """An entry of the plan, which messages call by its path."""

    path: str
    outputs: list[str]
    guide: Any

    def __str__(self):
        return self.path


_lock = threading.Lock()   # a worker of a cluster may have threads, and only one of them is logged at a time


def _work(recipe, model, settings, flags, item):
    """Separate one item in a process of a pool: (error or None, records of the log)."""
    with _lock, _Records(logging.WARNING if flags.quiet else logging.INFO) as log:
        try:
            separate_one(_separator(recipe, model, settings, flags), item, flags, quiet=True)
        except (InputError, OSError, MemoryError) as error:
            return command.describe(error), log.records
    return None, log.records


_separators = {}   # of this process: a pool's gets many items of one work, a cluster's may get those of several


def _separator(recipe, model, settings, flags):
    key = model, os.stat(model).st_mtime_ns, settings, repr(sorted(vars(flags).items()))
    if key not in _separators:
        _separators.clear()
        # the model is read here, since its arrays would travel with every item
        loaded = store.load(model, recipe.networks, recipe.script)
        _separators[key] = recipe.separator(loaded, settings, flags)
    return _separators[key]


def separate_one(separator, item, flags, quiet):
    """Separate an entry of the plan, (path, outputs, guide)."""
    from deepconvsep.separation.sound import separate_file
    path, outputs, guide = item
    files.make_folder(os.path.dirname(outputs[0]))
    separate_file(separator, path, outputs, guide, stereo=flags.stereo,
                  accompaniment_of=0 if flags.accompaniment else None, format=flags.format, subtype=flags.subtype,
                  quiet=quiet)


class _Records(logging.Handler):
    """Collects (name, level, message) of what this thread logs meanwhile."""

    def __init__(self, level):
        super().__init__(level)
        self.records = []

    def emit(self, record):
        if record.thread == self.thread:
            self.records.append((record.name, record.levelno, record.getMessage()))

    def __enter__(self):
        self.thread, self.before = threading.get_ident(), logging.root.level
        logging.root.addHandler(self)
        logging.root.setLevel(self.level)
        return self

    def __exit__(self, *error):
        logging.root.removeHandler(self)
        logging.root.setLevel(self.before)
