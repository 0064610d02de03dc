"""What a separation must know besides the model, by the kind of music: sources, networks, settings, names of stems."""
from deepconvsep.recipes import bach10, bach10_scoreinformed, dsd100, ikala

ALL = tuple(module.SEPARATION for module in (dsd100, ikala, bach10, bach10_scoreinformed))

#: The model that separates where nothing says what the music is.
DEFAULT_MODEL = bach10.DEFAULT_MODEL


def of_network(network):
    """The recipe of a network.

    >>> from deepconvsep.network import architecture
    >>> of_network(architecture.IKALA).sources
    ('voice', 'music')
    """
    return next(recipe for recipe in ALL if network.name in [other.name for other in recipe.networks])
