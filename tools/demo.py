"""The demo: a chorale and a rock song, which the models never heard, come apart.

Renders the beginning of a chorale with FluidR3 where FluidSynth, that SoundFont and music21 are installed; else takes
the same rendering from demo_data. Separates the mixture with this project's model, compares the stems with the
references, and writes demo/index.html. Then it takes the lead guitar out of 20 s of a song of Sectoid, which lies in
demo_data, and writes demo/song/index.html.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from deepconvsep import audio, files
from deepconvsep.audio.mixture import Mixture
from deepconvsep.command import Parser, enable_default_logging, run
from deepconvsep.errors import InputError
from deepconvsep.metrics import records
from deepconvsep.report import page
from examples.bach10 import recipe, separate_bach10, soundfonts, synthesize
from examples.ikala import recipe as ikala_recipe
from examples.ikala import separate_ikala

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SHIPPED = os.path.join(HERE, 'demo_data')
PIECE = '01-AchGottundHerr'
BEATS = 20   # quarter notes: two and a half lines of the chorale
TITLE = 'J. S. Bach, “Ach Gott und Herr” (BWV 255), on instruments that the model never heard'
SONG = 'sectoid_war-of-freedom'
SONG_TITLE = 'Sectoid, “War of freedom”: lead guitar (“voice”) and band, of a song that the model never heard'


def main(argv=None):
    """Run the demo; return the exit code."""
    flags = Parser(prog='tools/demo.py', description=__doc__.split('\n')[0])
    flags.add_arg('-o', '--output', default=os.path.join(ROOT, 'demo'), help='folder to write to')
    flags.add_arg('--shipped', action='store_true', help='take the rendering that ships in any case')
    args = flags.parse_args(argv)
    enable_default_logging()
    references = os.path.join(args.output, 'references')
    files.make_folder(references)
    stems = [os.path.join(references, '%s-%s.flac' % (PIECE, source)) for source in recipe.SOURCES]
    if args.shipped or not render(references, stems):
        for stem in stems:
            shutil.copy(os.path.join(SHIPPED, os.path.basename(stem)), stem)
    code = separate(separate_bach10, args.output, PIECE, stems, TITLE)
    return code or separate_song(os.path.join(args.output, 'song'))


def separate(script, output, piece, stems, title):
    """Add up the stems, separate what that gives, write the page and say the scores; return the exit code."""
    mixture = os.path.join(output, piece + '.flac')
    with Mixture(stems) as reader, audio.Writer(mixture, reader.rate, format='FLAC') as writer:
        for block in reader.blocks():
            writer.write(block)
    command = ['-i', mixture, '-o', output, '--report', title, '--references', os.path.dirname(stems[0]), '--overwrite']
    code = script.main([os.path.relpath(word) if os.path.isabs(word) else word for word in command])
    if code == 0:
        summarize(output, piece)
    return code


def separate_song(output):
    """The second part: the song that ships."""
    references = os.path.join(output, 'references')
    files.make_folder(references)
    names = ['%s-%s.flac' % (SONG, source) for source in ikala_recipe.SOURCES]
    for name in names:
        shutil.copy(os.path.join(SHIPPED, name), os.path.join(references, name))
    return separate(separate_ikala, output, SONG, [os.path.join(references, name) for name in names], SONG_TITLE)


def render(folder, stems):
    """Render the references; False when what that takes is not installed."""
    try:
        soundfonts.check(['fluid'])
    except InputError as error:
        print('The chorale is the rendering in demo_data (to render it here: %s)' % error)
        return False
    tree = os.path.join(folder, 'rendered')
    shutil.rmtree(tree, ignore_errors=True)
    code = synthesize.main(['bach10', '--banks', 'fluid', '--number', '1', '--beats', str(BEATS), '--out', tree,
                            '--quiet'])
    if code:
        raise InputError('the chorale could not be rendered: try --shipped')
    for source, wanted in zip(recipe.SOURCES, stems):
        samples, rate = audio.read(os.path.join(tree, PIECE, '%s-%s.wav' % (PIECE, source)))
        audio.write(wanted, samples, rate, 'FLAC')
    shutil.rmtree(tree)
    print('The chorale was rendered with FluidR3')
    return True


def summarize(folder, piece):
    """Print the scores and where the page is."""
    scores = files.read_json(os.path.join(folder, page.ASSETS, page.SCORES))['scores'][piece]
    for source, values in scores.items():
        print('%-10s SDR %5.1f dB; the mixture itself %5.1f dB' % ((source,) + tuple(
            records.decode([values['SDR'], values['mixture SDR']]))))
    print('Open %s' % os.path.join(folder, page.PAGE))


if __name__ == '__main__':
    run(main, sys.argv[1:])
