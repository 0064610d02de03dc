# PYTHON_ARGCOMPLETE_OK
"""A score over the spectrogram of its sound, and the masks made from it: shows whether the score is aligned.

    python -m plots.score_alignment --mixture chorale.wav --scores DIR --seconds 5

A line of a score lies where the sound has a fundamental, or the score is of something else.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

import plots
from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.report import page
from deepconvsep.score import masks, midi2freq
from deepconvsep.score.guide import ScoreGuide, note_array, plain
from examples.bach10 import recipe as bach10
from examples.bach10_scoreinformed import recipe

LOWEST = 50.   # Hz
MARKS = 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000   # Hz
DYNAMICS = 70.   # dB below the loudest bin that are still shown


def main(argv=None):
    flags = command.Parser(description='Draw the notes of a score over the spectrogram of its sound, and their masks.')
    flags.add_arg('--mixture', type=command.path, required=True, nargs='+', metavar='FILE',
                  help='a sound file, or several, mono and of one sample rate, whose sum is drawn')
    recipe.add_score_flags(flags)
    flags.add_arg('--start', type=command.non_negative_float, default=0., help='where to begin, in seconds')
    flags.add_arg('--seconds', type=command.positive_float, default=10., help='how much to show')
    flags.add_arg('--highest', type=command.positive_float, default=2000., help='highest frequency shown, in Hz')
    plots.add_output_flags(flags)
    args = flags.parse_args(argv)
    path = args.mixture[0] if len(args.mixture) == 1 else args.mixture
    score_paths = recipe.score_paths(path, args)
    scores = recipe.read_scores(score_paths, args)
    magnitudes = spectrogram(args.mixture)
    rate = bach10.SAMPLE_RATE / bach10.HOP_SIZE
    first, last = int(args.start * rate), min(int((args.start + args.seconds) * rate), len(magnitudes))
    if last - first < 2:
        raise InputError('%s ends after %.1f s, expected more than --start %g'
                         % (args.mixture[0], len(magnitudes) / rate, args.start))
    guide = ScoreGuide(scores, recipe.SETTINGS, names=list(map(os.path.basename, score_paths)), traits=recipe.TRAITS,
                       played=(args.score_tempo, args.score_offset))
    guide(0, magnitudes)
    for warning in guide.warnings():
        print(warning, file=sys.stderr)
    figure = draw(magnitudes[first:last], scores, guide.notes, first, args.highest)
    print('\n'.join(plots.save(figure, args.output, 'score_alignment_' + plots.song(args.mixture[0]), args.format)))


def spectrogram(paths):
    """Magnitudes of the sum of mono files, (frames, bins)."""
    parts = bach10.read_stems(paths)
    mixture = np.zeros(max(map(len, parts)))
    for part in parts:
        mixture[:len(part)] += part
    return bach10.transform().compute_file(mixture)


def draw(magnitudes, scores, widened, first, highest):
    """The figure: the spectrogram with the notes as lines, and for each instrument its mask.

    Parameters
    ----------
    magnitudes : ndarray, shape (frames, bins)
    scores : list of list of score.Note
    widened : ndarray
        The note array that the masks are made from.
    first : int
        Number of the first of these frames.
    highest : float
        Hz.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import seaborn
    from matplotlib import ticker
    hop, width = bach10.HOP_SIZE / bach10.SAMPLE_RATE, bach10.SAMPLE_RATE / bach10.FRAME_SIZE
    bins = min(magnitudes.shape[1], int(highest / width) + 1)
    # edges of the cells, for an axis that is logarithmic in frequency
    times = (first + np.arange(len(magnitudes) + 1)) * hop
    edges = np.maximum(np.arange(bins + 1) - 0.5, 0.5) * width
    levels = 20 * np.log10(np.maximum(magnitudes[:, :bins], 1e-10))
    shares = masks.harmonic_mask(widened, first, first + len(magnitudes), magnitudes.shape[1]).reshape(
        len(magnitudes), len(scores), -1)[..., :bins]
    notes = note_array(scores, plain(recipe.SETTINGS))
    colours = page.COLOURS[:len(scores)]
    with seaborn.plotting_context('paper'):
        figure, axes = plots.new_figure(plots.WIDTH, 2.6 + 1.3 * len(scores), nrows=1 + len(scores), ncols=1,
                                        squeeze=False, sharex=True, sharey=True,
                                        gridspec_kw={'height_ratios': [2.6] + [1.3] * len(scores)})
        axes = axes[:, 0]
        axes[0].pcolormesh(times, edges, levels.T, cmap='gray_r', vmin=levels.max() - DYNAMICS, vmax=levels.max(),
                           rasterized=True)
        for name, own, colour in zip(bach10.INSTRUMENTS, notes, colours):
            sounding = own[own[:, 2] > 0]
            axes[0].hlines(midi2freq(sounding[:, 2]), sounding[:, 0] * hop, sounding[:, 1] * hop, color=colour,
                           linewidth=2.5, label=name)
        axes[0].legend(loc='lower right', bbox_to_anchor=(1, 1), ncols=len(scores), fontsize='small', frameon=False)
        axes[0].set_title('mixture and score', loc='left', fontsize='medium')
        for panel, name, share in zip(axes[1:], bach10.INSTRUMENTS, shares.transpose(1, 2, 0)):
            image = panel.pcolormesh(times, edges, share, cmap='viridis', vmin=0, vmax=1, rasterized=True)
            panel.set_title('mask, ' + name, loc='left', fontsize='medium')
        axes[0].set(xlim=times[[0, -1]], ylim=(max(edges[0], LOWEST), edges[-1]), yscale='log')
        ticks = [mark for mark in MARKS if edges[0] <= mark <= edges[-1]]
        axes[0].set_yticks(ticks, ['%g' % mark for mark in ticks])
        axes[0].yaxis.set_minor_formatter(ticker.NullFormatter())
        axes[-1].set_xlabel('time (s)')
        figure.supylabel('frequency (Hz)', fontsize='medium')
        figure.colorbar(image, ax=axes[1:], label='share of the mask', location='bottom', aspect=50, shrink=0.5)
    return figure


if __name__ == '__main__':
    command.run(main)
