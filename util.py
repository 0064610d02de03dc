"""The helper names of the original's `util`, forwarded to the modules that own them."""
from audio import circular_shift, detect_silence
from harmonics import expandMidi, fixoverlap, getfreqs, getMidi, remove_overlap, slicefft, slicefft_slices
from overlap import generate_overlapadd, overlapadd, overlapadd_multi
from rwc import read_mat
from score import FREQ_A4, MIDI_A4, SEMITONE_RATIO, getMidiLength, getMidiNum, midi2freq, str2midi
from wavfiles import infoAudioScipy, readAudioScipy, writeAudioScipy

__all__ = ['FREQ_A4', 'MIDI_A4', 'SEMITONE_RATIO', 'circular_shift', 'detect_silence', 'expandMidi', 'fixoverlap', 'generate_overlapadd', 'getMidi',
           'getMidiLength', 'getMidiNum', 'getfreqs', 'infoAudioScipy', 'midi2freq', 'overlapadd', 'overlapadd_multi',
           'readAudioScipy', 'read_mat', 'remove_overlap', 'slicefft', 'slicefft_slices', 'str2midi',
           'writeAudioScipy']
