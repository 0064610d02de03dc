"""Compute the features of Bach10 Sibelius: synthesized stems, delayed against each other.

    python compute_features_bach10sibelius.py --db Sibelius --gt 0

With --gt 1 the renderings with the timing of the recordings, as they are; with --gt 0 those with the timing of the
score in three tempi, in each of 78 ways to delay the sources by 0, 0.1 and 0.2 s, or in --sample_size of them, drawn by
seed for each piece and tempo. Files that are already there are kept, unless the sounds are newer. Features go to
<feature_path>/<style>/<piece>_t<delays in ms>__m_.data
"""
import functools
import os
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

from deepconvsep import audio, command, jobs
from deepconvsep.files import make_folder
from examples.bach10 import flags, generation, recipe


def main(argv=None):
    """Compute features by the flags `argv`; return the exit code."""
    parser = flags.parser(__doc__, 'compute_features_bach10sibelius.py', 'transforms/t3_synth_aug_more')
    parser.add_arg('--db', required=True, help='folder of the pieces, each with <piece>_<style>_<source>.wav')
    parser.add_arg('--gt', type=command.switch, default=True, help='1: style gt; 0: styles fast, slow, original')
    parser.add_arg('--sample_size', type=command.positive_int, default=None,
                   help='ways to delay the sources, of each piece in each tempo (default: all 78)')
    parser.add_arg('--seed', type=command.non_negative_int, default=0, help='of the draw of ways')
    args = flags.parse(parser, argv, 'db')
    styles = ['gt'] if args.gt else recipe.TEMPI
    items = [(piece, style) for piece in recipe.pieces(args.db) for style in styles]
    seconds = 0.
    for item in items:
        with audio.Reader(recipe.sibelius_paths(args.db, *item)[0]) as reader:
            seconds += reader.frames / reader.rate
    ways = generation.delays([0.] if args.gt else recipe.TIME_SHIFTS)
    number = min(args.sample_size or len(ways), len(ways))
    generation.prepare_stems_folder(args, seed=args.seed)
    for style in styles:
        make_folder(os.path.join(args.feature_path, style))
    generation.check_space(args.feature_path, seconds * number, args.dtype)
    outcomes = jobs.run(functools.partial(compute, args.db, args.feature_path, args.dtype, ways, number, args.seed),
                        items,
                        args.nprocs, unit='piece', quiet=args.quiet)
    generation.report(outcomes, 'files')
    return jobs.summarize(outcomes)


def compute(db, feature_path, dtype, ways, number, seed, item):
    """Compute the features of one piece in one style, in `number` of the ways, unless they are there; count them."""
    piece, style = item
    # the first of an order that depends on the seed alone: more ways later keep those that are there
    order = np.random.default_rng([seed, zlib.crc32(('%s %s' % (piece, style)).encode())]).permutation(len(ways))
    ways = [ways[place] for place in sorted(order[:number])]
    paths = {way: os.path.join(feature_path, style, '%s_%s.data' % (piece, generation.describe_times(way)))
             for way in ways}
    sounds = recipe.sibelius_paths(db, piece, style)
    missing = [way for way in ways if not generation.is_current(paths[way], sounds)]
    stems = recipe.read_stems(sounds) if missing else []
    for way in missing:
        recipe.transform().compute_transform(delayed(stems, way), out_path=paths[way], dtype=dtype)
    return generation.Counter(written=len(missing), kept=len(ways) - len(missing))


def delayed(stems, way):
    """Delay each stem by its seconds; all get the length of the first less the longest delay, as in the original."""
    length = len(stems[0]) - int(max(way) * recipe.SAMPLE_RATE)
    return generation.with_mixture([audio.circular_shift(stem, length, delay, recipe.SAMPLE_RATE)
                                    for stem, delay in zip(stems, way)])


if __name__ == '__main__':
    command.run(main)
