"""The demo: separate a real song with a recorded DSD100 model.

Writes demo/mixture.wav and the stems beside it. The model is one whose values were drawn at random, so the
stems differ in colour, not in instrument: it shows that everything works.
"""
import os
import sys

import climate
import files
import song
from examples.dsd100 import separate_dsd

ROOT = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(ROOT, 'tests', 'golden', '5_end_to_end', 'dsd', 'model_dsd.pkl')


def main(argv=None):
    """Run the demo; return the exit code."""
    flags = climate.Parser(prog='demo.py', description=__doc__.split('\n')[0])
    flags.add_arg('-o', '--output', default=os.path.join(ROOT, 'demo'), help='folder to write to')
    folder = flags.parse_args(argv).output
    files.make_folder(folder)
    song.write(folder, sources=())
    mixture = os.path.join(folder, 'mixture.wav')
    command = ['-i', mixture, '-o', os.path.join(folder, 'stems'), '-m', MODEL, '--overwrite']
    print('python examples/dsd100/separate_dsd.py ' + ' '.join(os.path.relpath(part) if os.sep in part else part
                                                             for part in command), flush=True)
    return separate_dsd.main(command)


if __name__ == '__main__':
    climate.run(main, sys.argv[1:])
