# PYTHON_ARGCOMPLETE_OK
"""Separate chamber music into bassoon, clarinet, saxophone and violin with a score-informed model and a score.

    python separate_bach10.py -i <inputfile> -o <outputdir> -m <path_to_model.pkl>

In the folder of the input (or --scores) lie bassoon_b.txt, clarinet_b.txt, saxophone_b.txt and violin_b.txt, or the
same as .mid or .musicxml. Writes <input>_bassoon.wav, <input>_clarinet.wav, <input>_saxphone.wav and
<input>_violin.wav, mono, at the input's sample rate and length.

With a score that is in time with the sound, --method nmf or network+nmf give the best stems by far: a factorisation,
confined by the score, that learns the piece's spectra from the whole piece. The network, which is the default as in the
original, sees a third of a second at a time, in constant memory: it is for sounds that are too long for the others,
which take about 60 MB a minute.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.recipes.bach10_scoreinformed import SEPARATION
from deepconvsep.separation import program


def main(argv=None):
    """Separate by the flags `argv`; return the exit code."""
    return program.main(argv, 'separate_bach10.py', __doc__.split('\n')[0], SEPARATION)


if __name__ == '__main__':
    command.run(main)
