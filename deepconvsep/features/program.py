"""What the scripts that compute features share: flags, what is finished already, parallel work, the summary.

A script describes its dataset by a :class:`Dataset` and hands it to :func:`main`.
"""
import contextlib
import functools
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from deepconvsep import audio, command, files, jobs, stft
from deepconvsep.errors import InputError
from deepconvsep.features.songs import Song, check_song, missing_files, report
from deepconvsep.features.tensors import describe_tensor, save_tensor, shape_path, tagged
from deepconvsep.settings import WINDOWS, Settings

logger = command.get_logger('features')

TAG = '__m_'
RECORD = 'features.json'  # in the feature folder: how its files were made


@dataclass(frozen=True)
class Dataset:
    """How the features of a dataset are made from its songs.

    Parameters
    ----------
    name : str
    settings : Settings
        The transform, the sample rate and the names of the sources.
    songs : tuple of validate.Song
    expected : dict
        How many songs each chosen subset has when it is complete.
    read : callable
        ``read(paths, length, size, settings)`` yields blocks of `size` samples, the last one shorter, `length` in
        total, as float64 arrays (samples, 1 + sources): the mixture, then the sources. It is defined at the top of a
        module, so that other processes find it.
    block_seconds : int, optional
        A song is cut into blocks that long and a rest, a feature file ``<song>_<k>`` each. None: one file ``<song>``.
    folders : dict
        Folder of a subset below the feature folder; those that are not named have none of their own.
    """

    name: str
    settings: Settings
    songs: tuple[Song, ...]
    expected: dict[str, int]
    read: Callable
    block_seconds: int | None = None
    folders: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is to be done for one song."""

    song: Song
    paths: tuple[str, ...]    # feature files, without tag
    shapes: tuple[tuple[int, int, int], ...]
    length: int               # samples of the song
    size: int                 # samples of a block
    in_blocks: bool           # whether the files are numbered

    def __str__(self):
        return str(self.song)


# --- flags --------------------------------------------------------------------------------------------

def parser(prog, description, folder='transforms/t1'):
    """The flags that all scripts have; `folder` is the default of --feature_path, below the dataset."""
    flags = command.Parser(prog=prog, description=description)
    flags.add_arg('--db', required=True, metavar='DIR', help='folder of the dataset')
    flags.add_arg('--feature_path', metavar='DIR', default='<db>/' + folder, help='folder for the features')
    flags.add_arg('--nprocs', type=command.positive_int, default=max(1, (os.cpu_count() or 2) - 1),
                  help='number of processes, each of which takes a song at a time')
    flags.add_arg('--scheduler', metavar='ADDRESS', default=None,
                  help='work on the Dask cluster of this scheduler, such as tcp://host:8786, instead')
    flags.add_arg('--float32', action='store_true',
                  help='store float32, half the size; otherwise float64 as the original')
    flags.add_arg('--validate', action='store_true',
                  help='compute nothing: read the whole dataset and list what is missing and what is damaged')
    flags.add_arg('--overwrite', action='store_true', help='compute songs again that are finished')
    flags.add_arg('--quiet', action='store_true', help='no progress, only warnings and errors')
    return flags


def parse(flags, argv):
    """Parse the command line, start the logging, check that the dataset is there."""
    args = flags.parse_args(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    if not os.path.isdir(args.db):
        raise InputError('--db %s is not a folder, expected that of the dataset' % args.db)
    args.feature_path = args.feature_path.replace('<db>', args.db, 1)
    return args


# --- the work -----------------------------------------------------------------------------------------

def main(args, dataset):
    """Check a dataset, or compute its features, by the parsed flags.

    Songs whose features are finished are passed over; a song that fails is named and does not stop the others.

    Returns
    -------
    int
        The exit code: 0, or 1 when a song failed or, with --validate, anything is missing or damaged.

    Raises
    ------
    InputError
        When there are no songs, when the folder holds features that were made with other settings, or when the disk
        has no room.
    """
    if args.validate:
        return report(dataset.name, dataset.songs, dataset.expected, args.nprocs, args.scheduler, args.quiet)
    for subset, number in dataset.expected.items():
        found = sum(song.subset == subset for song in dataset.songs)
        if not found:
            raise InputError('%s holds no songs of the subset %s of %s: see --validate'
                             % (args.db, subset, dataset.name))
        logger.info('%s %s: %d of %d songs', dataset.name, subset, found, number)
    dtype = np.dtype(np.float32 if args.float32 else np.float64)
    files.make_folder(args.feature_path)
    plans, failed = make_plans(dataset, args.feature_path)
    for outcome in failed:
        logger.error('%s', outcome.error)
    check_record(args.feature_path, describe(dataset, dtype), args.overwrite)
    todo = [plan for plan in plans if args.overwrite or not is_finished(plan, dtype)]
    check_space(args.feature_path, todo, dtype)
    for plan in todo:
        clear(plan)
    outcomes = jobs.run(functools.partial(compute, dataset.read, dataset.settings, dtype), todo, args.nprocs,
                        args.scheduler, unit='song', quiet=args.quiet)
    wrong = jobs.summarize(outcomes)
    logger.info('%s: %d songs computed, %d finished before, %d failed', args.feature_path,
                sum(outcome.error is None for outcome in outcomes), len(plans) - len(todo),
                sum(outcome.error is not None for outcome in outcomes) + len(failed))
    return 1 if wrong or failed else 0


def make_plans(dataset, feature_path):
    """Look at the headers of all songs: what will be written for each, and which cannot be used.

    Returns
    -------
    plans : list of Plan
    failed : list of jobs.Outcome
        Of the songs whose files are missing or damaged.
    """
    plans, failed, owners = [], [], {}
    for song in dataset.songs:
        missing = missing_files(song)
        length, problems = check_song(song)
        problems = ['%s is missing' % path for path in missing] + problems
        if problems:
            failed.append(jobs.Outcome(song, error='%s: %s' % (song, '; '.join(problems))))
            continue
        plan = plan_song(dataset, song, length, feature_path)
        other = owners.setdefault(os.path.normcase(plan.paths[0]), song)
        if other is not song:
            raise InputError('%s and %s would both be written to %s: rename one' % (other.paths[0], song.paths[0],
                                                                                    plan.paths[0]))
        plans.append(plan)
    return plans, failed


def plan_song(dataset, song, length, feature_path):
    """Feature files of a song of `length` samples, and their shapes; there is no file for an empty rest."""
    settings = dataset.settings
    size = dataset.block_seconds * settings.sample_rate if dataset.block_seconds else length
    lengths = [min(size, length - start) for start in range(0, length, size)]
    names = ['%s_%d' % (song.name, k) for k in range(len(lengths))] if dataset.block_seconds else [song.name]
    folder = os.path.join(feature_path, dataset.folders.get(song.subset, ''))
    shapes = [(1 + len(settings.sources), stft.frame_count(samples, settings.hop_size),
               settings.frame_size // 2 + 1) for samples in lengths]
    return Plan(song, tuple(os.path.join(folder, name + '.data') for name in names), tuple(shapes), length, size,
                bool(dataset.block_seconds))


def stale_files(plan):
    """Files of further blocks of the song, from a run when it was longer."""
    if not plan.in_blocks:   # then <song>_1 is another song
        return []
    folder = os.path.dirname(plan.paths[0])
    expected = {os.path.basename(tagged(path, TAG)) for path in plan.paths}
    block = re.compile(re.escape(plan.song.name) + r'_\d+' + TAG + r'\.data')
    return [os.path.join(folder, name) for name in (os.listdir(folder) if os.path.isdir(folder) else [])
            if block.fullmatch(name) and name not in expected]


def is_finished(plan, dtype):
    """True when all blocks of a song are there, with the right shapes and type, newer than its sounds, and no other."""
    try:
        found = [describe_tensor(path, TAG) for path in plan.paths]
        made = min(os.stat(tagged(path, TAG)).st_mtime_ns for path in plan.paths)
        changed = max(os.stat(path).st_mtime_ns for path in plan.song.paths)
    except (InputError, OSError):
        return False
    return changed <= made and found == [(shape, dtype) for shape in plan.shapes] and not stale_files(plan)


def clear(plan):
    """Make the folder of a song, and remove from it what is not part of the song's features."""
    folder = os.path.dirname(plan.paths[0])
    files.make_folder(folder)
    tensors = [tagged(path, TAG) for path in plan.paths]
    files.remove_leftovers(folder, [os.path.basename(name) for path in tensors
                                    for name in (path, shape_path(path))])
    for path in stale_files(plan):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(shape_path(path))
        os.unlink(path)


def describe(dataset, dtype):
    """The settings that decide what is in the feature files."""
    settings = dataset.settings.to_dict()
    return dict({name: settings[name] for name in ('sources', 'window', 'frame_size', 'hop_size', 'sample_rate',
                                                   'downmix')},
                dataset=dataset.name, dtype=dtype.name, block_seconds=dataset.block_seconds)


def check_record(folder, settings, overwrite, name=RECORD):
    """Note in the file `name` of a folder how the features there are made.

    Raises
    ------
    InputError
        When features there were made with other settings, unless they are to be overwritten.
    """
    path = os.path.join(folder, name)
    if os.path.exists(path) and not overwrite:
        before = files.read_json(path, 'the settings of features')
        changed = sorted(key for key in set(before) | set(settings) if before.get(key) != settings.get(key))
        if changed:
            raise InputError('%s holds features with %s, now wanted: %s: choose another --feature_path, or --overwrite'
                             % (folder, ', '.join('%s %s' % (key, before.get(key)) for key in changed),
                                ', '.join('%s %s' % (key, settings.get(key)) for key in changed)))
    files.write_json(path, settings)


def check_space(folder, plans, dtype):
    """Raise InputError when the disk has no room for the features."""
    needed = sum(int(np.prod(shape)) for plan in plans for shape in plan.shapes) * dtype.itemsize
    replaced = sum(os.path.getsize(path) for plan in plans for path in
                   (tagged(path, TAG) for path in plan.paths) if os.path.exists(path))
    free = shutil.disk_usage(folder).free + replaced
    if needed > free:
        raise InputError('%s has room for %.1f GB, the features need %.1f GB: choose --float32 or another disk'
                         % (folder, free / 1e9, needed / 1e9))


# --- one song, in a process of its own ----------------------------------------------------------------

def compute(read, settings, dtype, plan):
    """Compute and save the features of a song, a block at a time."""
    window = WINDOWS[settings.window](settings.frame_size)
    try:
        for path, signals in zip(plan.paths, read(plan.song.paths, plan.length, plan.size, settings)):
            rows = [stft.magnitudes(signal, window, settings.hop_size) for signal in signals.T]
            save_tensor(path, np.array(rows), TAG, dtype)
    except (InputError, OSError, MemoryError) as error:
        raise InputError('%s: %s' % (plan, str(error) or 'out of memory, try fewer processes')) from error
    if not is_finished(plan, dtype):
        raise InputError('%s: the sound files changed while they were read: run again' % plan)


def read_downmixed(paths, length, size, settings):
    """Read a file for each row, mixed down to one channel; see :class:`Dataset`.

    Files that are a little longer or shorter than `length` are cut or completed with zeros.
    """
    with contextlib.ExitStack() as opened:
        readers = [opened.enter_context(audio.Reader(path)) for path in paths]
        rows = [_mixed_down(reader, length, size, settings) for reader in readers]
        for signals in zip(*rows):
            yield np.array(signals).T


def _mixed_down(reader, length, size, settings):
    """Yield the blocks of one file, one channel each."""
    # a second at a time stays in the cache, and blocks are whole seconds
    pieces = reader.blocks(settings.sample_rate)
    for start in range(0, length, size):
        block = np.zeros(min(size, length - start))
        for second in range(0, len(block), settings.sample_rate):
            part = block[second:second + settings.sample_rate]
            samples = audio.downmix(next(pieces, np.zeros((0, 1))), settings.downmix)[:len(part)]
            part[:len(samples)] = samples
        if reader.cut_off:
            raise InputError('%s is shorter than its header says, it was cut off: copy it again' % reader.path)
        yield block
