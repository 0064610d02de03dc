"""Stems that are delayed against each other: which ways there are for a piece, and the features of each."""
import os
import zlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

import util
from deepconvsep import stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder, making
from deepconvsep.features.plan import Plan, is_current
from deepconvsep.features.tensors import MAGNITUDES
from examples.bach10 import generation, recipe


@dataclass(frozen=True)
class Delayed(Plan):
    """A piece in one tempo style; its feature files are ways to delay its stems, in seconds."""

    ways: tuple[tuple[float, ...], ...]


def draw(ways, number, seed, piece, style):
    """So many of the ways for a piece in a tempo, in their order; those of a smaller number are among them."""
    order = np.random.default_rng([seed, zlib.crc32(('%s %s' % (piece, style)).encode())]).permutation(len(ways))
    return [ways[place] for place in sorted(order[:number])]


def found(place, piece, ways):
    """Those of the ways whose features lie in the folder of a tempo style, by the names of their files."""
    return [way for way in ways if os.path.exists(os.path.join(place, '%s_%s%s.data' % (
        piece, generation.describe_times(way), MAGNITUDES)))]


def plan(args, song, length, ways):
    """The plan of a piece in one tempo style: a :class:`Delayed`.

    Parameters
    ----------
    args : argparse.Namespace
        With --db, --feature_path and --dtype.
    song : deepconvsep.features.songs.Song
        Its subset is the style.
    length : int
        Samples.
    ways : list of tuple of float
    """
    place = os.path.join(args.feature_path, song.subset)
    sources = folder.sources(args.db, song.paths)
    settings = dict(folder.transform_settings(recipe.SETTINGS), dtype=np.dtype(args.dtype).name)
    return Delayed(
        song, paths=tuple(os.path.join(place, '%s_%s.data' % (song.name, generation.describe_times(way)))
                          for way in ways),
        shapes=tuple((1 + len(song.paths), stft.frame_count(delayed_length(length, way), recipe.HOP_SIZE),
                      recipe.FRAME_SIZE // 2 + 1) for way in ways),
        length=length, size=length, in_blocks=False, dtype=np.dtype(args.dtype),
        origins=tuple(folder.Origin(sources, dict(settings, delays=list(way))) for way in ways), ways=tuple(ways))


def compute(overwrite, plan):
    """Compute the features of one piece in one style in all ways, unless they are there; count them."""
    todo = [index for index in range(len(plan.paths)) if overwrite or not is_current(plan, index)]
    try:
        records = [plan.origins[index].record() for index in todo]
        stems = recipe.read_stems(plan.song.paths) if todo else []
        for index, record in zip(todo, records):
            plan.origins[index].check(record)
            folder.discard(plan.paths[index])
            making.save_magnitudes(plan.paths[index], delayed(stems, plan.ways[index]), recipe.SETTINGS, plan.dtype,
                                   record)
        for index, record in zip(todo, records):
            plan.origins[index].check(record)
    except (InputError, OSError, MemoryError) as error:
        raise making.failure(plan, error) from error
    return Counter(written=len(todo), kept=len(plan.paths) - len(todo))


def delayed(stems, way):
    """Delay each stem by its seconds; all get the length of the first less the longest delay, as in the original."""
    length = delayed_length(len(stems[0]), way)
    return generation.with_mixture([util.circular_shift(stem, length, delay, recipe.SAMPLE_RATE)
                                    for stem, delay in zip(stems, way)])


def delayed_length(length, way):
    """Samples of what :func:`delayed` makes of stems of `length` samples."""
    return length - int(max(way) * recipe.SAMPLE_RATE)
