"""Delete refs, if they are still what one knows of them. Repository creates, sets and lists them.

refs.delete(repository, {'refs/tags/wide': object_id})
"""

from collections.abc import Mapping

from tagrun.core.git.repository import Repository


def delete(repository: Repository, refs: Mapping[str, str]) -> None:
    """Delete {full name: id}, all or none. Raises GitError where one is something else."""
    lines = ''.join(f'delete {name}\0{object_id}\0' for name, object_id in refs.items())
    repository.git('update-ref', '--stdin', '-z', data=lines.encode())
