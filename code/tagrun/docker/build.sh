#!/usr/bin/env bash
# Build an image with the Python and the packages of a run, out of its environment.json.
#
#   bash code/tagrun/docker/build.sh __result__/first/0
#   DOCKER=podman bash code/tagrun/docker/build.sh __result__/first/0 --build-arg BASE=debian:12
#
# The image is called tagrun-<tag>-<id>. All further words go to `docker build`.
set -eu
if [ ! -r "${1-}/environment.json" ]; then
    printf 'build.sh: name the folder of a run with an environment.json, e.g. %s\n' \
        '__result__/first/0' >&2
    exit 2
fi
run=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")" && pwd)
id=${run##*/}
# what a name of an image cannot have
tag=$(basename "${run%/*}" | tr '[:upper:]' '[:lower:]' | LC_ALL=C tr -c 'a-z0-9._\n' '-')
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" "$context"
python3 "$here/pins.py" "$run/environment.json" >"$context/requirements.txt"
python=$(sed -n 's/^# Python //p' "$context/requirements.txt")
"${DOCKER:-docker}" build --build-arg "PYTHON=$python" --tag "tagrun-$tag-$id" "$@" "$context"
