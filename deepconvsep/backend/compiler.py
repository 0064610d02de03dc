"""What the compiler says of this machine, asked once and not at every start.

Theano compiles for the processor that it runs on, and to find out which that is runs the compiler three times and what
it made once, half a second in all. The answer stays in the folder of compiled modules, with what it depends on.
"""
import contextlib
import os
import shutil

from deepconvsep import files
from deepconvsep.errors import InputError

NAME = 'processor.json'


def remember(theano):
    """Give Theano the compiler's flags for this processor, from the folder of compiled modules if they are there.

    Else the compiler is asked, as Theano would later, and the answer is kept. A second call does nothing new.
    """
    compiler, depends = theano.gof.cmodule.GCC_compiler, question(theano.config)
    if depends is None:
        return
    path = os.path.join(theano.config.compiledir, NAME)
    kept = _read(path)
    if kept.get('question') == depends and isinstance(kept.get('flags'), list) \
            and all(isinstance(flag, str) for flag in kept['flags']):
        if compiler.march_flags is None:
            compiler.march_flags = kept['flags']
        return
    compiler.compile_args()   # asks, unless Theano has compiled a module of its own just now
    if compiler.march_flags:
        with contextlib.suppress(OSError):  # a folder that only others can write to
            files.write_json(path, {'question': depends, 'flags': compiler.march_flags})


def question(config, cpuinfo='/proc/cpuinfo'):
    """What the answer depends on: the compiler's file, its flags, and the processor; None where that is not known."""
    path = shutil.which(config.cxx) if config.cxx else None
    processor = describe_processor(cpuinfo)
    if path is None or not processor:
        return None
    path = os.path.realpath(path)
    state = os.stat(path)
    return {'compiler': [path, state.st_size, state.st_mtime_ns], 'flags': config.gcc.cxxflags, 'processor': processor}


def describe_processor(cpuinfo):
    """Model and abilities of the first processor, by the names that Linux gives them; empty elsewhere.

    The processors of a machine are alike; of two machines that share a folder they may differ.
    """
    named = {'vendor_id', 'cpu family', 'model', 'model name', 'stepping', 'flags',   # x86
             'CPU implementer', 'CPU architecture', 'CPU part', 'Features'}   # ARM
    found = {}
    with contextlib.suppress(OSError, UnicodeDecodeError), open(cpuinfo, encoding='utf-8') as lines:
        for line in lines:
            name, _, value = (part.strip() for part in line.partition(':'))
            if not name:
                break
            if name in named:
                found[name] = value
    return found if {'flags', 'Features'} & set(found) else {}


def _read(path):
    try:
        return files.read_json(path)
    except InputError:   # none yet, or damaged
        return {}
