"""Projects that train a recipe, in a short form: `recipe <name> --apply`, then a few arguments.

project = make_recipe(folder, 'gan', data)
"""

from project_factory import fresh_project

from tagrun.core import recipes

NAMES = [recipe.name for recipe in recipes.listed()]
SHORT = {'epochs': '4', 'save_minutes': '0.002'}  # a save every tenth of a second
# what makes a few seconds of training of each
SETTINGS = {
    'gan': {'epochs': '8', 'eval_interval': '2', 'width': '32'},
    'k-fold': {'model': "'mlp'", 'fold': '1'},
    'language-model': {
        'steps_per_epoch': '15',
        'width': '32',
        'context': '16',
        'batch_size': '8',
        'warmup': '10',
    },
    'metrics': {'model': "'mlp'", 'plateau_patience': '0', 'lr': '0.5'},
    'pipelines': {'error_goal': '0.5', 'both_epochs': '1', 'labels': '1000'},
    'registry': {'experiment': "'mixed'", 'batch_size': '200', 'val_fraction': '0.5'},
    'reinforcement': {'steps_per_epoch': '60', 'environments': '4', 'memory': '300'},
    'two-stage': {'encoder_from': "'pre/0:best'", 'channels': '8', 'labels': '1000'},
    'transformer': {'train_rows': '600', 'width': '16', 'layers': '1', 'dropout': '0.1'},
}
# what is run before
FIRST = {'two-stage': ('run', 'pre', '--set', 'task=pretext', 'epochs=1', "encoder_from=''")}


def make_recipe(root, name, data):
    """Return a committed project of that recipe's short form."""
    project = fresh_project(root, data)
    project.tagrun('recipe', name, '--apply')
    project.configure(**{**SHORT, **SETTINGS.get(name, {})})
    project.commit(name)
    if name in FIRST:
        project.tagrun(*FIRST[name])
    return project
