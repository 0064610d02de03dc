"""From scores and instrument samples to feature files, on one core, as a multiple of real time.

    python tools/benchmarks/generation.py [--seconds 45] [--combinations 4]

Four sources with a note every half second, played with samples of tones in the layout of RWC. The features go to memory
where the system has /dev/shm: the disk is not measured.
"""
import argparse
import os
import shutil
import tempfile

os.environ['OMP_NUM_THREADS'] = '1'

import measure
import numpy as np

import rwc
from deepconvsep import audio
from deepconvsep.files import make_folder
from deepconvsep.score import Note, write_score
from examples.bach10 import compute_features_bach10rwc as made
from examples.bach10 import generation, layout, recipe, rendering, synthesize

PITCHES = range(55, 75)


def write_bank(folder):
    """Two seconds of every pitch for the instruments, musicians and dynamics."""
    time = np.arange(2 * recipe.SAMPLE_RATE) / recipe.SAMPLE_RATE
    tones = [.3 * np.sin(2 * np.pi * 440 * 2 ** ((midi - 69) / 12.) * time) for midi in PITCHES]
    starts = [number * len(time) for number in range(len(tones))]
    make_folder(os.path.join(folder, 'mat'))
    for name in recipe.INSTRUMENTS:
        for musician in recipe.MUSICIANS:
            stem = '%d%d%sNO' % (rwc.INSTRUMENTS[name], musician, synthesize.SYMBOLS[name])
            make_folder(os.path.join(folder, 'wav', stem[:3]))
            for dynamics in recipe.DYNAMICS:
                audio.write(os.path.join(folder, 'wav', stem[:3], stem + dynamics + '.WAV'), np.concatenate(tones),
                            recipe.SAMPLE_RATE)
                synthesize.write_mat(os.path.join(folder, 'mat', (stem + dynamics).lower() + '.wav.mat'),
                                     rwc.INSTRUMENTS[name], name, synthesize.SYMBOLS[name], dynamics, list(PITCHES),
                                     starts, [start + len(time) - 1 for start in starts])


def write_scores(folder, seconds):
    """Half-second notes, at random pitches."""
    make_folder(folder)
    generator = np.random.RandomState(0)
    for name in recipe.INSTRUMENTS:
        write_score(os.path.join(folder, name + recipe.SCORE_ENDINGS['original'] + '.txt'),
                    [Note(onset, onset + .5, int(generator.choice(PITCHES))) for onset in np.arange(0, seconds, .5)])


def main():
    flags = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    flags.add_argument('--seconds', type=float, default=45.)
    flags.add_argument('--combinations', type=int, default=4)
    flags = flags.parse_args()
    folder = tempfile.mkdtemp(dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
    try:
        db, bank, output = (os.path.join(folder, name) for name in ('Sibelius', 'RWC', 'features'))
        write_bank(bank)
        write_scores(os.path.join(db, 'piece'), flags.seconds)
        args = made.parser('').parse_args(['--db', db, '--rwc', bank, '--feature_path', output, '--dtype', 'float32'])
        place = os.path.join(output, 'piece', 'original')
        make_folder(place)
        combinations = generation.draw(generation.rwc_cases(recipe.TIME_SHIFTS), flags.combinations, 0, 'piece')
        scores = recipe.read_scores(os.path.join(db, 'piece'), recipe.SCORE_ENDINGS['original'])
        samples, planner = rendering.instruments(bank), rendering.Planner(args)
        piece = layout.scored_piece(db, 'piece', 'original')
        length = int(flags.seconds * recipe.SAMPLE_RATE)

        def render():
            return [rendering.render(scores, samples, combination, length)[0] for combination in combinations]

        def compute():
            shutil.rmtree(place)
            os.makedirs(place)
            for combination in combinations:
                plan = planner.plan(piece, flags.seconds, combination)
                assert rendering.compute(False, None, plan)['written'] == 1

        def transform():
            for signals in rendered:
                recipe.transform().compute_transform(signals, out_path=os.path.join(folder, 'part.data'),
                                                     dtype='float32')

        rendered = render()
        assert all(np.abs(signals[:, 1:]).max(axis=0).min() > .2 for signals in rendered)
        whole, playing, transforming = (measure.seconds(run, repeats=3) for run in (compute, render, transform))
        music = flags.seconds * len(combinations)
        print('generating %.0f s of music, samples to features: %.4g s, %.0f times real time on one core; playing the '
              'notes %.4g s, features %.4g s' % (music, whole, music / whole, playing, transforming))
    finally:
        shutil.rmtree(folder)


if __name__ == '__main__':
    main()
