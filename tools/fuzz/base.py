"""What fuzzed readers are made of."""
import os
import warnings

from deepconvsep import command
from tools.fuzz import mutate

GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'tests', 'golden')

command.define_names()


class Reader:
    """One reader: makes cases and reads them."""

    name = ''
    output = open(os.devnull, 'w', errors='deepconvsep.names')

    def warm_up(self):
        """Import and prepare what is needed, before the memory is limited."""

    def make(self, rng, folder):
        """Write a case into `folder`; return the arguments of :meth:`read`."""
        raise NotImplementedError

    def read(self, *arguments):
        """Read it: any exception but an InputError is a defect."""
        raise NotImplementedError


class OneFile(Reader):
    """A reader of a single file, whose bytes are damaged."""

    extension = ''
    words = mutate.WORDS

    def warm_up(self):
        warnings.simplefilter('ignore')
        self.seeds = self.good()

    def good(self):
        """Good inputs, and some that are hostile from the start: a list of bytes."""
        raise NotImplementedError

    def make(self, rng, folder):
        path = os.path.join(folder, 'f' + self.extension)
        self.write(path, mutate.damage(rng, rng.choice(self.seeds), self.seeds, self.words))
        return (path,)

    @staticmethod
    def write(path, data):
        with open(path, 'wb') as out:
            out.write(data)


def golden(*names):
    """Contents of recorded files."""
    contents = []
    for name in names:
        with open(os.path.join(GOLDEN, name), 'rb') as source:
            contents.append(source.read())
    return contents
