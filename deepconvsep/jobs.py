"""The same work on many items: one after the other, on several processes, or on a Dask cluster."""
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from deepconvsep import command, files, process, progress
from deepconvsep.errors import InputError

logger = command.get_logger('jobs')

ATTEMPTS = 3   # times that an item is given to a fresh worker before it counts as the cause of the deaths


@dataclass
class Outcome:
    """What became of one item: `result` of the function, or `error`, a line of text."""

    item: Any
    result: Any = None
    error: str | None = None


def run(function, items, nprocs=1, scheduler=None, unit='file', quiet=False, threads=None):
    """Apply `function` to every item; an item that fails does not stop the others.

    A worker that dies (killed, out of memory) loses nothing: its item is done again by another one, and reported
    as failed when that keeps happening.

    Parameters
    ----------
    function : callable
        Takes one item. Must be picklable (defined at the top of a module, or a `functools.partial` of such).
        :class:`deepconvsep.errors.InputError`, OSError and MemoryError fail the item; anything else is a bug and is
        raised.
    items : list
        The items, picklable.
    nprocs : int
        Number of local processes; 1 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler, which then does the work in place of local processes. Its workers need the
        same Python packages, and this folder and the data under the same paths (a shared file system).
    unit : str
        What an item is, for the progress bar.
    quiet : bool
        No progress bar.
    threads : int, optional
        Threads of the libraries of each local process, unless OMP_NUM_THREADS is set; several items then have a local
        process where `nprocs` is 1, too, so that results that depend on it in the last bit do not depend on `nprocs`.
        Default: the cores are shared.

    Returns
    -------
    list of Outcome
        In the order of `items`.

    Raises
    ------
    InputError
        When the scheduler does not answer.
    """
    items = list(items)
    if scheduler is not None:
        finished = _on_cluster(function, items, scheduler)
    elif (threads is None and nprocs == 1) or len(items) < 2:
        finished = ((index, _attempt(function, item)) for index, item in enumerate(items))
    else:
        finished = _on_processes(function, items, min(nprocs, len(items)), threads)
    outcomes = {}
    with progress.Bar(len(items), unit + 's', '', quiet) as bar:
        for index, outcome in finished:
            outcomes[index] = outcome
            bar.update()
    return [outcomes[index] for index in range(len(items))]


_at_work = False   # whether this process, a worker, has an item


def _attempt(function, item):
    global _at_work
    _at_work = True
    try:
        return Outcome(item, result=function(item))
    except (InputError, OSError, MemoryError) as error:
        return Outcome(item, error=command.describe(error))
    except _Terminated:
        # all has been tidied up; the item is done again by another worker, unless the program is to end as well
        os._exit(143)
    finally:
        _at_work = False


class _Terminated(BaseException):
    """A worker got SIGTERM."""


def _terminate(number, frame):
    """The handler of SIGTERM in a worker."""
    if not _at_work:
        os._exit(143)
    signal.signal(number, signal.SIG_IGN)   # a second one would come into the tidying up
    raise _Terminated


def _died(item):
    return Outcome(item, error='%s: every worker that took it died (killed, or out of memory?): try fewer processes'
                   % command.one_line(item))


def _on_processes(function, items, nprocs, threads=None):
    """Yield (index, Outcome) from local processes.

    Every thread owns a pool of one process, so that it is known whose item a dead process had.
    """
    context = multiprocessing.get_context('spawn')   # forking a process that runs BLAS or Theano threads may hang
    local, ending = threading.local(), threading.Event()
    pools = []

    def fresh_pool():
        local.pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        pools.append(local.pool)

    def work(item):
        for _ in range(ATTEMPTS):
            try:
                return local.pool.submit(_attempt, function, item).result()
            except BrokenProcessPool:
                if ending.is_set():
                    break
                fresh_pool()
        return _died(item)

    with _threads_of_libraries(threads or max(1, process.cores() // nprocs)), \
            concurrent.futures.ThreadPoolExecutor(nprocs, initializer=fresh_pool) as workers:
        futures = {workers.submit(work, item): index for index, item in enumerate(items)}
        try:
            for future in concurrent.futures.as_completed(futures):
                yield futures[future], future.result()
        finally:
            ending.set()
            for future in futures:
                future.cancel()
            if command.terminated():
                # from a terminal an interruption comes to all of them, this one need not
                for worker in multiprocessing.active_children():
                    worker.terminate()
            for pool in pools:
                pool.shutdown()   # all have ended: at exit, Python may stumble over one that is still ending


def _begin():
    """Let this worker end when the process that started it is killed, rather than stay behind, or is interrupted."""
    command.handle_interruptions()
    interrupt = signal.getsignal(signal.SIGINT)
    if callable(interrupt):
        # an item cleans up behind itself; without one there is nothing to do but to end
        signal.signal(signal.SIGINT, lambda number, frame: interrupt(number, frame) if _at_work else os._exit(130))
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
        signal.signal(signal.SIGTERM, _terminate)
    process.keep_memory()
    process.end_quickly()

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _threads_of_libraries(count):
    """Share the cores: processes started meanwhile use `count` threads, unless the user has set their number."""
    before = os.environ.get('OMP_NUM_THREADS')
    if before:
        yield
        return
    os.environ['OMP_NUM_THREADS'] = str(count)
    try:
        yield
    finally:
        del os.environ['OMP_NUM_THREADS']
        if before is not None:
            os.environ['OMP_NUM_THREADS'] = before


def _on_cluster(function, items, address):
    """Yield (index, Outcome) from the workers of a Dask cluster."""
    try:
        import cloudpickle
        import distributed
    except ImportError as error:
        raise InputError('--scheduler needs %s, which is not installed: pip install distributed'
                         % error.name) from error

    def there(payload):   # a nested function travels by value: the worker need not have this module on its path
        import pickle
        import sys
        if root not in sys.path:
            sys.path.insert(0, root)
        attempt, function, item = pickle.loads(payload)
        return attempt(function, item)

    root = files.ROOT
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError('no Dask scheduler answers at %s (%s), expected an address such as tcp://host:8786'
                         % (address, command.one_line(error))) from error
    with client:
        futures = {client.submit(there, cloudpickle.dumps((_attempt, function, item)), pure=False): index
                   for index, item in enumerate(items)}
        for future in distributed.as_completed(futures):
            try:
                yield futures[future], future.result()
            except distributed.KilledWorker:
                yield futures[future], _died(items[futures[future]])


def summarize(outcomes):
    """Log the failures, a line each, and return the exit code: 1 if there is one, else 0."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed:
        logger.error('%s', outcome.error)
    if failed:
        logger.error('%d of %d failed', len(failed), len(outcomes))
    return 1 if failed else 0
