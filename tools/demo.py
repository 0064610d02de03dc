# PYTHON_ARGCOMPLETE_OK
"""The demo: a chorale on real instruments and a rock song, which the models never heard, come apart.

    python tools/demo.py -o demo

Takes the beginning of a chorale, on real recorded notes, with its scores, and 20 s of a song of Sectoid, lead guitar
and band, from demo_data. Separates the chorale without its scores and with them, each by the network and by
factorisation, and the song; compares the stems with the references, and writes demo/index.html.
"""
import dataclasses
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from deepconvsep import audio, files
from deepconvsep.audio.mixture import Mixture
from deepconvsep.command import Parser, enable_default_logging, run
from deepconvsep.command import path as a_path
from deepconvsep.errors import InputError
from deepconvsep.metrics import records
from deepconvsep.models import known
from deepconvsep.report import page
from examples.bach10 import recipe, separate_bach10
from examples.bach10_scoreinformed import recipe as score_recipe
from examples.bach10_scoreinformed import separate_bach10 as separate_with_scores
from examples.ikala import recipe as ikala_recipe
from examples.ikala import separate_ikala

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
SHIPPED = os.path.join(HERE, 'demo_data')
PIECE = '01-AchGottundHerr'
SONG = 'sectoid_war-of-freedom'
TITLE = 'Bach, “Ach Gott und Herr”, and Sectoid, “War of freedom”: two pieces that the models never heard'

#: Headings of the page.
NAMES = {PIECE: 'Ach Gott und Herr', SONG: 'War of freedom'}
FACTORIZED = ['--method', 'network+nmf']
#: What is said of the ways to separate the chorale without and with its scores, their folders and flags.
WITHOUT_SCORES = (('', '', []), (', by factorisation', 'heard', FACTORIZED))
WITH_SCORES = ((', with its scores', 'with_scores', []),
               (', with its scores, by factorisation', 'factorisation', FACTORIZED))

#: What the page calls the sources of the song.
SHOWN = {'voice': 'lead guitar', 'music': 'band'}


def main(argv=None):
    """Run the demo; return the exit code."""
    flags = Parser(prog='tools/demo.py', description=__doc__.split('\n')[0])
    flags.add_arg('-o', '--output', type=a_path, default=os.path.join(ROOT, 'demo'), help='folder to write to')
    args = flags.parse_args(argv)
    enable_default_logging()
    stems, parts = (copy_references(args.output, name, made.sources)
                    for name, made in ((PIECE, recipe.RECIPE), (SONG, ikala_recipe.RECIPE)))
    scores, done = copy_scores(args.output), []
    for script, made, ways, given in ((separate_bach10, recipe.RECIPE, WITHOUT_SCORES, []),
                                      (separate_with_scores, score_recipe.RECIPE, WITH_SCORES, ['--scores', scores])):
        for way, folder, more in ways:
            song = separate(script, made, args.output, PIECE, stems, folder, [*given, *more])
            done.append((dataclasses.replace(song, name=song.name + way), made))
    done.append((separate(separate_ikala, ikala_recipe.RECIPE, args.output, SONG, parts), ikala_recipe.RECIPE))
    songs = [song for song, _ in done]
    command = ['python', os.path.relpath(os.path.abspath(__file__)), *(sys.argv[1:] if argv is None else argv)]
    facts = {}
    for song, made in done:
        path = known.path(made.default_model)
        facts['Model of %s' % song.name] = '%s, SHA-256 %s' % (os.path.basename(path), files.sha256(path))
    shown = page.write(args.output, songs, TITLE, command, facts)
    summarize(args.output, songs)
    print('Open %s' % shown)
    return 0


def copy_references(output, piece, sources):
    """Copy the true stems of a piece from demo_data; return the paths of the copies."""
    folder = os.path.join(output, 'references')
    files.make_folder(folder)
    return [shutil.copy(os.path.join(SHIPPED, '%s-%s.flac' % (piece, source)), folder) for source in sources]


def copy_scores(output):
    """Copy the scores of the chorale from demo_data; return their folder."""
    folder = os.path.join(output, 'scores')
    files.make_folder(folder)
    for instrument in recipe.INSTRUMENTS:
        shutil.copy(os.path.join(SHIPPED, instrument + '_b.txt'), folder)
    return folder


def separate(script, made_by, output, piece, references, folder='', flags=()):
    """Add up the references and separate what that gives, into a folder in `output`; what the page shows of it."""
    mixture, stems = os.path.join(output, piece + '.flac'), os.path.join(output, folder)
    with Mixture(references) as reader, audio.Writer(mixture, reader.rate, format='FLAC') as writer:
        for block in reader.blocks():
            writer.write(block)
    if script.main(['-i', mixture, '-o', stems, '--overwrite', *flags]):
        raise InputError('%s could not be separated, see above' % mixture)
    names = [SHOWN.get(source, source) for source in made_by.sources]
    paths = [os.path.join(stems, name + '.wav') for name in made_by.stem_names(piece, made_by.sources, False)]
    return page.Song(NAMES[piece], mixture, dict(zip(names, paths)), dict(zip(names, references)))


def summarize(folder, songs):
    """Print the scores."""
    scores = files.read_json(os.path.join(folder, page.ASSETS, page.SCORES))['scores']
    for song in songs:
        print('%s:' % song.name)
        for source, values in scores[song.name].items():
            print('  %-11s SDR %5.1f dB; the mixture itself %5.1f dB' % ((source,) + tuple(
                records.decode([values['SDR'], values['mixture SDR']]))))


if __name__ == '__main__':
    run(main, sys.argv[1:])
