"""Scores: files of notes, what of a spectrogram they cover, and whether they fit a sound."""
from deepconvsep.score.notes import Note, cut_notes, midi2freq, midi2str, retime, str2midi
from deepconvsep.score.reading import find_score, other_formats, read_parts, read_score, write_score

__all__ = ['Note', 'cut_notes', 'find_score', 'midi2freq', 'midi2str', 'other_formats', 'read_parts', 'read_score',
           'retime', 'str2midi', 'write_score']
