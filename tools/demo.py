# PYTHON_ARGCOMPLETE_OK
"""The demo: a chorale and a rock song, which the models never heard, come apart.

    python tools/demo.py --shipped -o demo

Renders the beginning of a chorale with FluidR3 where FluidSynth, that SoundFont and music21 are installed; else takes
the same rendering from demo_data. Takes 20 s of a song of Sectoid, lead guitar and band, from demo_data. Separates both
mixtures with this project's models, compares the stems with the references, and writes demo/index.html.
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
from deepconvsep.models import known
from deepconvsep.report import page
from examples.bach10 import recipe, separate_bach10, soundfonts, synthesize
from examples.ikala import recipe as ikala_recipe
from examples.ikala import separate_ikala

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SHIPPED = os.path.join(HERE, 'demo_data')
PIECE = '01-AchGottundHerr'
BEATS = 20   # quarter notes: two and a half lines of the chorale
SONG = 'sectoid_war-of-freedom'
TITLE = 'Bach, “Ach Gott und Herr”, and Sectoid, “War of freedom”: two pieces that the models never heard'

#: What the page calls the sources of the song.
SHOWN = {'voice': 'lead guitar', 'music': 'band'}


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
    parts = [os.path.join(references, '%s-%s.flac' % (SONG, source)) for source in ikala_recipe.SOURCES]
    for part in parts:
        shutil.copy(os.path.join(SHIPPED, os.path.basename(part)), part)
    songs = [separate(separate_bach10, recipe.RECIPE, args.output, PIECE, stems),
             separate(separate_ikala, ikala_recipe.RECIPE, args.output, SONG, parts)]
    models = {song.name: known.path(made.default_model)
              for song, made in zip(songs, (recipe.RECIPE, ikala_recipe.RECIPE))}
    command = ['python', os.path.relpath(os.path.abspath(__file__)), *(sys.argv[1:] if argv is None else argv)]
    facts = {'Model of %s' % name: os.path.basename(path) for name, path in models.items()}
    facts.update({'SHA-256 of the model of %s' % name: files.sha256(path) for name, path in models.items()})
    shown = page.write(args.output, songs, TITLE, command, facts)
    summarize(args.output, songs)
    print('Open %s' % shown)
    return 0


def separate(script, made_by, output, piece, references):
    """Add up the references and separate what that gives; what the page shows of it."""
    mixture = os.path.join(output, piece + '.flac')
    with Mixture(references) as reader, audio.Writer(mixture, reader.rate, format='FLAC') as writer:
        for block in reader.blocks():
            writer.write(block)
    if script.main(['-i', mixture, '-o', output, '--overwrite']):
        raise InputError('%s could not be separated, see above' % mixture)
    names = [SHOWN.get(source, source) for source in made_by.sources]
    stems = [os.path.join(output, name + '.wav') for name in made_by.stem_names(piece, made_by.sources, False)]
    return page.Song(piece, mixture, dict(zip(names, stems)), dict(zip(names, references)))


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


def summarize(folder, songs):
    """Print the scores."""
    scores = files.read_json(os.path.join(folder, page.ASSETS, page.SCORES))['scores']
    for song in songs:
        for source, values in scores[song.name].items():
            print('%-11s SDR %5.1f dB; the mixture itself %5.1f dB' % ((source,) + tuple(
                records.decode([values['SDR'], values['mixture SDR']]))))


if __name__ == '__main__':
    run(main, sys.argv[1:])
