"""How the experiments run the scripts of this project."""
import os
import shlex
import subprocess
import sys

from deepconvsep.errors import InputError
from deepconvsep.files import ROOT


def run(folder, script, *arguments, silent=False):
    """Run a script of this project as a user does, and print the command.

    Parameters
    ----------
    folder, script : str
        Where it is.
    *arguments
        Of its command line.
    silent : bool
        Whether what it prints, but not what it logs, is left out.

    Raises
    ------
    InputError
        When it fails; it has said why.
    """
    words = [os.path.join(folder, script)] + [str(argument) for argument in arguments]
    print('python', ' '.join(map(shlex.quote, [os.path.relpath(words[0], ROOT)] + words[1:])), flush=True)
    done = subprocess.run([sys.executable] + words, stdout=subprocess.DEVNULL if silent else None)
    if done.returncode:
        raise InputError('%s ended with exit code %d; what is finished is kept: mend it and run this again'
                         % (script, done.returncode))
