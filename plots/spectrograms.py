# PYTHON_ARGCOMPLETE_OK
"""Spectrograms of a mixture, of its separated stems and of the true stems, side by side.

    python -m plots.spectrograms --mixture song.wav --estimates separated/song --references DSD100/Sources/Test/song

Stems are matched by the last word of their file names: ``vocals.wav``, ``mixture_vocals.wav``, ``song-vocals.wav``.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import numpy as np

import plots
import transform
from deepconvsep import audio, command
from deepconvsep.errors import InputError
from deepconvsep.metrics import compare, stems

FRAME, HOP = 2048, 512
DYNAMICS = 80.   # dB below the loudest bin of the mixture that are still shown


def main(argv=None):
    flags = command.Parser(description='Draw spectrograms of a mixture, its separated stems and the true ones.')
    flags.add_arg('--mixture', type=command.path, required=True, metavar='FILE')
    flags.add_arg('--estimates', type=command.path, required=True, metavar='FOLDER', help='the separated stems')
    flags.add_arg('--references', type=command.path, metavar='FOLDER',
                  help='the true stems; those of an accompaniment may be missing')
    flags.add_arg('--start', type=command.non_negative_float, default=0., help='where to begin, in seconds')
    flags.add_arg('--seconds', type=command.positive_float, default=10., help='how much to show')
    flags.add_arg('--highest', type=command.positive_float, default=8000., help='highest frequency shown, in Hz')
    plots.add_output_flags(flags)
    args = flags.parse_args(argv)
    command.enable_default_logging()
    estimates = by_source(args.estimates, args.mixture)
    references = by_source(args.references, args.mixture) if args.references else {}
    # --accompaniment writes what has no true stem of its own
    missing = sorted(set(estimates) - set(references) - {'accompaniment'}) if references else []
    if missing:
        raise InputError('%s has no true stem of %s, expected one for %s'
                         % (args.references, missing[0], estimates[missing[0]]))
    for paths in (estimates, references):
        compare.check(args.mixture, paths)
    excerpt = args.start, args.seconds
    for kind, paths in (('separated', estimates), ('true', references)):
        if paths:
            warn_of_others(args.mixture, paths, excerpt, kind)
    columns = {'separated': {source: spectrogram(path, *excerpt) for source, path in estimates.items()}}
    if references:
        columns['true'] = {source: spectrogram(references[source], *excerpt) for source in estimates
                           if source in references}
    figure = draw(spectrogram(args.mixture, *excerpt), columns, args.start, args.highest)
    print('\n'.join(plots.save(figure, args.output, 'spectrograms_' + plots.song(args.mixture), args.format)))


def by_source(folder, mixture):
    """Paths of the sound files of a folder but the mixture, by the last word of their names.

    Raises
    ------
    InputError
        When there is none, or two have the same last word.
    """
    stems.folders(folder, 'a folder of stems')
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.lower().endswith(stems.EXTENSIONS) and not name.startswith('.'):
            source = re.split('[-_ ]', stems.stem(name))[-1]
            if source == 'mixture' or os.path.realpath(os.path.join(folder, name)) == os.path.realpath(mixture):
                continue
            source = stems.usual_name(source)
            if source in found:
                raise InputError('%s holds two stems of %s, %s and %s, expected one'
                                 % (folder, source, os.path.basename(found[source]), name))
            found[source] = os.path.join(folder, name)
    if not found:
        raise InputError('%s holds no sound file, expected stems' % folder)
    return found


def warn_of_others(mixture, paths, excerpt, kind):
    """Say in the log that the sum of some stems is not like the mixture, in an excerpt: start and seconds."""
    # an accompaniment is the sum of others, unless it is all that there is beside the voice
    single = [path for source, path in paths.items() if source != 'accompaniment' or len(paths) == 2]
    sounds = [read(path, *excerpt)[0] for path in [mixture] + single]
    shortest = min(map(len, sounds))
    both = np.stack([sounds[0][:shortest], sum(sound[:shortest] for sound in sounds[1:])])
    compare.warn_of_others(mixture, paths, both @ both.T, kind)


def read(path, start, seconds):
    """Samples of an excerpt, mono, and their rate in Hz.

    Raises
    ------
    InputError
        When the file cannot be read, or ends before `start`.
    """
    with audio.Reader(path) as reader:
        first = int(start * reader.rate)
        last = min(first + int(seconds * reader.rate), reader.frames)
        if last - first < FRAME and last < reader.frames:
            raise InputError('--seconds %g is %d samples of %s, expected %d or more'
                             % (seconds, last - first, path, FRAME))
        if last - first < FRAME:
            raise InputError('%s ends after %.1f s, expected more than --start %g' %
                             (path, reader.frames / reader.rate, start))
        rate = reader.rate
    return audio.downmix(next(stems.windows(path, [(first, last)]))), rate


def spectrogram(path, start, seconds):
    """Magnitudes of an excerpt in dB, and their hop in seconds and bin width in Hz: ((frames, bins) float64, s, Hz)."""
    samples, rate = read(path, start, seconds)
    magnitudes = transform.transformFFT(frameSize=FRAME, hopSize=HOP, sampleRate=rate).compute_file(samples)
    return 20 * np.log10(np.maximum(magnitudes, 1e-10)), HOP / rate, rate / FRAME


def draw(mixture, columns, start, highest):
    """The figure: the mixture on top, a row per source, a column for separated and, if there are, for true stems."""
    import seaborn
    sources = list(next(iter(columns.values())))
    loudest = mixture[0].max()
    with seaborn.plotting_context('paper'):
        figure, axes = plots.new_figure(plots.WIDTH, 1.6 * (len(sources) + 1), nrows=len(sources) + 1,
                                        ncols=len(columns), squeeze=False, sharex=True, sharey=True)
        panels = [(axes[0, 0], 'mixture', mixture)]
        panels += [(axes[row + 1, column], '%s, %s' % (plots.text_of(source), kind), pictures[source])
                   for column, (kind, pictures) in enumerate(columns.items()) for row, source in enumerate(sources)
                   if source in pictures]
        for panel, title, (levels, hop, width) in panels:
            extent = (start, start + hop * len(levels), 0, width * levels.shape[1] / 1000)
            image = panel.imshow(levels.T, origin='lower', aspect='auto', cmap='magma', vmin=loudest - DYNAMICS,
                                 vmax=loudest, extent=extent, interpolation='nearest', rasterized=True)
            panel.set_title(title, loc='left', fontsize='medium')
        for panel in set(axes.flat) - {panel for panel, _, _ in panels}:
            panel.set_axis_off()
        axes[0, 0].set_ylim(0, min(highest / 1000, mixture[2] * mixture[0].shape[1] / 1000))
        axes[0, 0].set_xlim(start, start + mixture[1] * (len(mixture[0]) - 2))
        figure.supxlabel('time (s)', fontsize='medium')
        figure.supylabel('frequency (kHz)', fontsize='medium')
        figure.colorbar(image, ax=axes, label='level (dB)', shrink=0.6)
    return figure


if __name__ == '__main__':
    command.run(main)
