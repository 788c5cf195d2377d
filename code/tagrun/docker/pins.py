"""Print the packages of an environment.json as a requirements file.

    python3 pins.py __result__/first/0/environment.json > requirements.txt

It needs no package. The first line has the version of Python.
"""

import json
import sys

# an environment has its own
LEFT_OUT = ('pip', 'setuptools', 'wheel')


def main(path: str) -> None:
    """Print the requirements. Exit with a sentence if the file has none."""
    try:
        with open(path, encoding='utf-8') as file:
            print('\n'.join(lines(json.load(file))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f'{path} does not list packages: {type(error).__name__}: {error}')


def lines(environment: dict) -> list[str]:
    """Return the lines: ['# Python 3.11.7', 'numpy==2.4.6', …].

    A local version is left out (torch 2.13.0+cpu: 2.13.0): pip takes the one that its index has.
    """
    packages = {'torch': environment['torch'], **environment['packages']}
    pins = [
        f'{name}=={version.partition("+")[0]}'
        for name, version in sorted(packages.items())
        if name not in LEFT_OUT
    ]
    return [f'# Python {environment["python"]}', *pins]


if __name__ == '__main__':
    main(sys.argv[1])
