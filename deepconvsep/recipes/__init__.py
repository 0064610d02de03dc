"""What a separation must know besides the model, by the kind of music: sources, networks, settings, names of stems."""
from deepconvsep.recipes import bach10, bach10_scoreinformed, dsd100, ikala
from deepconvsep.recipes.base import SeparationRecipe

ALL = tuple(module.SEPARATION for module in (dsd100, ikala, bach10, bach10_scoreinformed))

#: The model that separates where nothing says what the music is.
DEFAULT_MODEL = bach10.DEFAULT_MODEL


def of_model(loaded):
    """The recipe of a :class:`deepconvsep.models.store.Model`.

    A network that is none of this project's separates as its settings say, into stems that are called as its sources.
    """
    for recipe in ALL:
        if any(loaded.network.is_like(other) for other in recipe.networks):
            return recipe
    return SeparationRecipe(script='deepconvsep separate', sources=loaded.settings.sources, networks=(loaded.network,),
                            settings=loaded.settings, legacy_settings=loaded.settings)
