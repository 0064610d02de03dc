# PYTHON_ARGCOMPLETE_OK
"""List the models of this project, or say what models of yours are.

    python -m deepconvsep.models
    python -m deepconvsep.models --verify model_dsd_fft_1024.pkl
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

from deepconvsep import command
from deepconvsep.models.listing import main

if __name__ == '__main__':
    command.run(main)
