"""Flags and log under the original's names. The package called "climate" on PyPI is unrelated and empty."""
from deepconvsep.command import (
    add_arg,
    add_group,
    add_mutex,
    enable_default_logging,
    get_logger,
    parse_args,
    parse_known_args,
)

__all__ = ['add_arg', 'add_group', 'add_mutex', 'enable_default_logging', 'get_logger', 'parse_args',
           'parse_known_args']
