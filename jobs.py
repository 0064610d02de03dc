"""The same work on many items: one after the other, on several processes, or on a Dask cluster."""
import concurrent.futures
from dataclasses import dataclass
from typing import Any, Optional

import tqdm

import climate
from errors import InputError

logger = climate.get_logger(__name__)


@dataclass
class Outcome:
    """What became of one item: `result` of the function, or `error`, a line of text."""

    item: Any
    result: Any = None
    error: Optional[str] = None


def run(function, items, nprocs=1, scheduler=None, unit='file', quiet=False):
    """Apply `function` to every item; an item that fails does not stop the others.

    Parameters
    ----------
    function : callable
        Takes one item. Must be picklable (defined at the top of a module, or a `functools.partial` of such).
    items : list
        The items, picklable.
    nprocs : int
        Number of local processes; 1 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler, which then does the work in place of local processes.
    unit : str
        What an item is, for the progress bar.
    quiet : bool
        No progress bar.

    Returns
    -------
    list of Outcome
        In the order of `items`.
    """
    outcomes = {}
    with tqdm.tqdm(total=len(items), unit=unit, disable=None if not quiet else True) as bar:
        if nprocs == 1 or len(items) < 2:
            for index, item in enumerate(items):
                outcomes[index] = _attempt(function, item)
                bar.update()
        else:
            with concurrent.futures.ProcessPoolExecutor(min(nprocs, len(items))) as pool:
                futures = {pool.submit(_attempt, function, item): index for index, item in enumerate(items)}
                for future in concurrent.futures.as_completed(futures):
                    outcomes[futures[future]] = future.result()
                    bar.update()
    return [outcomes[index] for index in range(len(items))]


def _attempt(function, item):
    try:
        return Outcome(item, result=function(item))
    except (InputError, OSError, MemoryError) as error:
        return Outcome(item, error=climate.one_line(error) or type(error).__name__)


def summarize(outcomes):
    """Log the failures, a line each, and return the exit code: 1 if there is one, else 0."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failed:
        logger.error('%s', outcome.error)
    if failed:
        logger.error('%d of %d failed', len(failed), len(outcomes))
    return 1 if failed else 0
