"""Separate a sound file into stems, which are files."""
import contextlib

import numpy as np

from deepconvsep import audio, command, progress
from deepconvsep.audio import mixture
from deepconvsep.errors import InputError
from deepconvsep.separation.masking import NotFinite

logger = command.get_logger('separation')

# sample rates (Hz) of files that are separated
LOWEST_RATE, HIGHEST_RATE = 1000, 655350   # the latter is FLAC's, in which the page of a separation plays


def separate_file(separator, path, outputs, guide=None, stereo=False, accompaniment_of=None, format='WAV',
                  subtype='PCM_16', quiet=False):
    """Separate a sound file.

    Parameters
    ----------
    separator : Separator
    path : str or list of str
        A sound file of any rate and number of channels, or several, whose sum is separated. Another rate than the
        settings' is resampled for the network, and the stems are resampled back.
    outputs : list of str
        Where the stems go, in the order of the sources (and the accompaniment, last). They appear when all are
        complete, at the input's rate and length.
    guide, stereo, accompaniment_of
        As in :meth:`deepconvsep.separation.separator.Separator.stems`. A guide's method ``warnings()``, if it has one,
        is asked in the end.
    format, subtype
        As in :class:`deepconvsep.audio.Writer`.
    quiet : bool
        No progress bar.

    Returns
    -------
    int
        Samples per channel that were written.

    Raises
    ------
    InputError
        When the file cannot be read, an output cannot be written, the network gives no finite masks, or
        memory is out.
    """
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(mixture.open_sound(path))
        if not LOWEST_RATE <= reader.rate <= HIGHEST_RATE:
            # a damaged header; resampled, a small file could become endless
            raise InputError('%s has %d Hz, expected %d to %d Hz: resample it'
                             % (reader.path, reader.rate, LOWEST_RATE, HIGHEST_RATE))
        channels = reader.channels if stereo else 1
        bar = stack.enter_context(progress.Bar(reader.frames, 's of sound', 'separating', quiet,
                                               per_unit=reader.rate))
        writers = [stack.enter_context(audio.Writer(output, reader.rate, channels, format, subtype,
                                                   full_scale=reader.full_scale))
                   for output in outputs]
        written = 0

        def counted():
            for block in reader.blocks():
                yield block
                bar.update(len(block))

        try:
            for block in at_rate(separator, counted(), reader.rate, reader.channels, guide, stereo, accompaniment_of):
                written += len(block)
                for index, writer in enumerate(writers):
                    writer.write(block[:, index])
            for writer in writers:
                writer.finish()
        except NotFinite as error:
            raise InputError('%s: %s' % (reader.path, error)) from error
        except MemoryError as error:
            raise InputError('%s: out of memory: try a smaller --batch_size, or fewer processes'
                             % reader.path) from error
    clipped = sum(writer.clipped for writer in writers)
    if clipped:
        logger.warning('%s: %d samples of the stems were beyond full scale and saturate; --subtype FLOAT keeps them',
                       reader.path, clipped)
    for warning in guide.warnings() if hasattr(guide, 'warnings') else ():
        logger.warning('%s: %s', reader.path, warning)
    return written


def at_rate(separator, blocks, rate, channels, guide=None, stereo=False, accompaniment_of=None):
    """Separate a stream of any rate: resampled for the network, and the stems resampled back.

    Parameters
    ----------
    separator : Separator
    blocks : iterable of ndarray, shape (samples, channels)
    rate, channels : int
        Of the blocks.
    guide, stereo, accompaniment_of
        As in :meth:`deepconvsep.separation.separator.Separator.stems`.

    Yields
    ------
    ndarray of float64, shape (samples, stems, channels or 1)
        As many samples in all as went in.
    """
    read = written = 0
    last = None
    shape = len(separator.settings.sources) + (accompaniment_of is not None), channels if stereo else 1
    columns = shape[0] * shape[1]

    def counted():
        nonlocal read
        for block in blocks:
            read += len(block)
            yield block

    model_rate = separator.settings.sample_rate
    stems = separator.stems(audio.resample_blocks(counted(), rate, model_rate, channels), guide, stereo,
                            accompaniment_of)
    flat = (stem.reshape(len(stem), columns) for stem in stems)
    for block in audio.resample_blocks(flat, model_rate, rate, columns):
        # resampling back and forth may be off by a sample: the input's length counts
        block = block[:read - written]
        written += len(block)
        last = block[-1:] if len(block) else last
        yield block.reshape((len(block),) + shape)
    if read > written:
        if last is None:
            # so short that it had no sample at the other rate
            last = np.zeros((1, columns))
        # held, not silent: a sound that does not end at 0 would end in a click
        yield np.repeat(last, read - written, axis=0).reshape((read - written,) + shape)
