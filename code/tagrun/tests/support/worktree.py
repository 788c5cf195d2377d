"""What a run must leave as it is, and changes of every kind that are not committed."""

import hashlib
from pathlib import Path


def desk(project):
    """All that a run must leave as it is: HEAD, branches, index, stash, and each file of the work
    tree, byte for byte.
    """
    root = project.root
    directory = Path(project.git('rev-parse', '--path-format=absolute', '--git-dir').strip())
    files = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
        and not path.relative_to(root).parts[0].startswith(('.git', '__'))
        and '__pycache__' not in path.parts
    }
    index = directory / 'index'
    return {
        'HEAD': (directory / 'HEAD').read_bytes(),
        'index': index.read_bytes() if index.exists() else None,
        'files': files,
        'branches': project.git('for-each-ref', 'refs/heads', 'refs/stash', 'refs/remotes'),
        'rest': sorted(
            path.name
            for path in directory.iterdir()
            if path.name not in ('objects', 'refs', 'packed-refs', 'logs')
        ),
    }


def dirty(project):
    """One file of each kind: modified, staged, deleted, new, ignored, executable, with a hostile
    name.
    """
    project.edit('model.py', 'The network', 'My network')
    (project.root / 'notes' / 'it\'s "new" ü.txt').parent.mkdir()
    (project.root / 'notes' / 'it\'s "new" ü.txt').write_text('new\n')
    (project.root / 'staged.txt').write_text('staged\n')
    project.git('add', 'staged.txt')
    (project.root / 'staged.txt').write_text('staged, then changed\n')
    (project.root / 'code' / 'requirements-test.txt').unlink()
    (project.root / '__data__' / 'ignored.bin').write_bytes(b'x')
