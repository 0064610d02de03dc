"""What is to be done for the songs of a dataset: the feature files of each, and what they are made from.

A script whose dataset has a sound file for every row of its features describes it by a :class:`Dataset` and hands it to
:func:`deepconvsep.features.command.main`; one that makes its sounds itself makes plans of its own, for
:func:`deepconvsep.features.command.carry_out`.
"""
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from deepconvsep import files, jobs, stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder
from deepconvsep.features.songs import Song, check_song, missing_files
from deepconvsep.features.tensors import MAGNITUDES, TAGS, record_path, shape_path, tagged
from deepconvsep.settings import Settings


@dataclass(frozen=True)
class Dataset:
    """How the features of a dataset are made from its songs.

    Parameters
    ----------
    name : str
    settings : Settings
        The transform, the sample rate and the names of the sources.
    songs : tuple of songs.Song
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
    db : str
        Folder of the dataset.
    record : str
        The file in the feature folder that tells how the features there are made.
    recorded : tuple of str, optional
        Names of the settings that it holds; None: all of :meth:`describe`. Each feature file has a record of all.
    further : dict
        What else decides what is in the feature files, by name: values that JSON can hold.
    """

    name: str
    settings: Settings
    songs: tuple[Song, ...]
    expected: dict[str, int]
    read: Callable
    block_seconds: int | None = None
    folders: dict[str, str] = field(default_factory=dict)
    db: str = os.curdir
    record: str = folder.RECORD
    recorded: tuple[str, ...] | None = None
    further: dict = field(default_factory=dict)

    def describe(self, dtype):
        """The settings that decide what is in the feature files."""
        return dict(folder.transform_settings(self.settings), dataset=self.name, dtype=np.dtype(dtype).name,
                    block_seconds=self.block_seconds, **self.further)

    def describe_folder(self, dtype):
        """Those of the settings that the feature folder records."""
        settings = self.describe(dtype)
        return settings if self.recorded is None else {name: settings[name] for name in self.recorded}


@dataclass(frozen=True)
class Plan:
    """What is to be done for one song, or for a piece that is played."""

    song: Song
    paths: tuple[str, ...]    # feature files, without tag
    shapes: tuple[tuple[int, int, int], ...]
    length: int               # samples of the song
    size: int                 # samples of a block
    in_blocks: bool           # whether the files are numbered
    dtype: np.dtype
    origins: tuple[folder.Origin, ...]   # of each feature file

    def __str__(self):
        return str(self.song)


def make_plans(dataset, feature_path, dtype):
    """Look at the headers of all songs: what will be written for each, and which cannot be used.

    Returns
    -------
    plans : list of Plan
    failed : list of jobs.Outcome
        Of the songs whose files are missing or damaged.
    """
    plans, failed, owners = [], [], {}
    for song in dataset.songs:
        length, problem = measure(song)
        if problem:
            failed.append(jobs.Outcome(song, error=problem))
            continue
        plan = plan_song(dataset, song, length, feature_path, dtype)
        other = owners.setdefault(os.path.normcase(plan.paths[0]), song)
        if other is not song:
            raise InputError('%s and %s would both be written to %s: rename one' % (other.paths[0], song.paths[0],
                                                                                    plan.paths[0]))
        plans.append(plan)
    return plans, failed


def measure(song):
    """Samples of a song by the headers of its files, and what is wrong with these: a line, or None."""
    missing = ['%s is missing' % path for path in missing_files(song)]
    length, problems = check_song(song)
    problems = missing + problems
    return length, '%s: %s' % (song, '; '.join(problems)) if problems else None


def plan_song(dataset, song, length, feature_path, dtype=np.float64):
    """Feature files of a song of `length` samples, and their shapes; there is no file for an empty rest."""
    settings = dataset.settings
    size = dataset.block_seconds * settings.sample_rate if dataset.block_seconds else length
    lengths = [min(size, length - start) for start in range(0, length, size)]
    names = ['%s_%d' % (song.name, k) for k in range(len(lengths))] if dataset.block_seconds else [song.name]
    place = os.path.join(feature_path, dataset.folders.get(song.subset, ''))
    shapes = [(1 + len(settings.sources), stft.frame_count(samples, settings.hop_size),
               settings.frame_size // 2 + 1) for samples in lengths]
    origin = folder.Origin(folder.sources(dataset.db, song.paths), dataset.describe(dtype))
    return Plan(song, tuple(os.path.join(place, name + '.data') for name in names), tuple(shapes), length, size,
                bool(dataset.block_seconds), np.dtype(dtype), (origin,) * len(names))


def stale_files(plan):
    """Feature files, without tag, of further blocks of the song, from a run when it was longer."""
    if not plan.in_blocks:   # then <song>_1 is another song
        return []
    place = os.path.dirname(plan.paths[0])
    expected = {os.path.basename(tagged(path, MAGNITUDES)) for path in plan.paths}
    block = re.compile(re.escape(plan.song.name) + r'_\d+' + MAGNITUDES + r'\.data')
    names = os.listdir(place) if os.path.isdir(place) else []
    return [os.path.join(place, name[:-len(MAGNITUDES + '.data')] + '.data') for name in names
            if block.fullmatch(name) and name not in expected]


def is_current(plan, index, read=True):
    """Whether the feature file `index` of a plan was made from what is there now.

    `read` as in :meth:`deepconvsep.features.folder.Origin.is_current`.
    """
    return plan.origins[index].is_current(plan.paths[index], MAGNITUDES, plan.shapes[index], plan.dtype, read)


def is_finished(plan, notes=None, read=True):
    """True when all blocks of a song, and their notes, are there, made from what is there now, and no further ones.

    `notes` as in :func:`deepconvsep.features.command.carry_out`, `read` as in :func:`is_current`.
    """
    return not stale_files(plan) and all(
        is_current(plan, index, read) and (notes is None or notes.of(plan, index).is_current(path, read))
        for index, path in enumerate(plan.paths))


def clear(plan):
    """Make the folder of a song, and remove from it what is not part of the song's features."""
    place = os.path.dirname(plan.paths[0])
    files.make_folder(place)
    tensors = [tagged(path, tag) for path in plan.paths for tag in TAGS]
    files.remove_leftovers(place, [os.path.basename(name) for path in tensors
                                   for name in (path, shape_path(path), record_path(path))])
    for path in stale_files(plan):
        folder.discard(path)
