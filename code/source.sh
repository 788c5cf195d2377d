#!/usr/bin/env bash
# Tagrun in the shell: short names to type, or one command in a script. bash (4.4 or newer) and zsh.
#
#     . code/source.sh; run first       # your shell has run, continue, table, …, in any project
#     bash code/source.sh run first     # the same in scripts, Slurm, make and CI, from anywhere
#
# It finds the project and the Python, and hands every word on to code/tagrun: it has no list of
# commands. It changes no shell option, no folder and no PATH, leaves only `tagrun`, the short names
# and _tagrun* behind, and takes no name that is already yours. A backslash (\command) keeps aliases
# of yours out of this file.

if [ -z "${BASH_VERSION-}${ZSH_VERSION-}" ]; then
    echo 'tagrun: this shell is neither bash nor zsh: use bash code/source.sh <command> …' >&2
    # `exit` is for a shell in which `return` fails outside a function:
    # shellcheck disable=SC2317
    return 1 2>/dev/null || exit 1
fi


# ---- Where is this file, and was it sourced or executed? ----

if [ -n "${ZSH_VERSION-}" ]; then
    # In eval, for bash could not read it.
    # shellcheck disable=SC2016
    eval '_tagrun_file=${(%):-%x}'
    case $ZSH_EVAL_CONTEXT in *:file) _tagrun_how='command' ;; *) _tagrun_how='exec' ;; esac
else
    _tagrun_file=${BASH_SOURCE[0]}
    if [ "$_tagrun_file" = "$0" ]; then _tagrun_how='exec'; else _tagrun_how='command'; fi
fi
if [ -L "$_tagrun_file" ]; then _tagrun_file=$(\command readlink -f "$_tagrun_file"); fi
case $_tagrun_file in /*) ;; *) _tagrun_file=$PWD/$_tagrun_file ;; esac
_tagrun_home=$(\builtin cd "${_tagrun_file%/*}/.." >/dev/null && \builtin pwd -P)


# ---- The project, its Python, and the call ----

_tagrun_project() {  # <folder>: print the nearest project from there upwards; fail if there is none
    local folder=${1%/}
    while :; do
        # run.json beside code/: this is the frozen copy of a run, not a project
        if [ -f "$folder/code/tagrun/__main__.py" ] && [ ! -e "$folder/run.json" ]; then
            \builtin printf '%s\n' "$folder"
            return
        fi
        [ -n "$folder" ] || return 1
        folder=${folder%/*}
    done
}

_tagrun_python() {  # <project>: print the Python with the packages; nothing before the set-up
    local own=$1/.venv environment
    if [ -n "${TAGRUN_PYTHON-}" ]; then
        \builtin printf '%s\n' "$TAGRUN_PYTHON"
        return
    fi
    for environment in "${VIRTUAL_ENV-}" "${CONDA_PREFIX-}"; do
        if [ -n "$environment" ] && [ "$environment" -ef "$own" ]; then break; fi
        if [ -n "$environment" ] && [ -x "$environment/bin/python" ]; then
            \builtin printf '%s\n' "$environment/bin/python"
            return
        fi
    done
    if [ -x "$own/bin/python" ] &&
        _tagrun_same "$1/code/requirements.txt" "$own/requirements.txt"; then
        \builtin printf '%s\n' "$own/bin/python"
    fi
}

_tagrun_same() {  # <file> <file>: do both exist with one text? (not cmp: a small system lacks it)
    [ -r "$1" ] && [ -r "$2" ] && [ "$(<"$1")" = "$(<"$2")" ]
}

_tagrun_system_python() {  # print the first Python that is new enough
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if \command "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            \builtin printf '%s\n' "$name"
            return
        fi
    done
    _tagrun_say "Python 3.10 or newer is needed and none is on the PATH: install one, or name \
one in TAGRUN_PYTHON"
}

_tagrun_say() {  # <sentence>: an error
    \builtin printf 'tagrun: %s\n' "$1" >&2
    return 1
}

# `exec` gives this process away, so that signals reach Python itself.
_tagrun() {  # command|exec <project> [command …]: run the command
    local how=$1 project=$2 python
    shift 2
    python=$(_tagrun_python "$project")
    if [ -z "$python" ]; then
        python=$(_tagrun_system_python) || return
        case " $* " in
            # these need no package
            '  ' | ' help '* | ' -V '* | ' --version '* | ' setup '* | *' -h '* | *' --help '*) ;;
            *)
                \command "$python" "$project/code/tagrun" setup || return
                python=$project/.venv/bin/python
                ;;
        esac
    fi
    if ! \command -v "$python" >/dev/null; then
        _tagrun_say "TAGRUN_PYTHON names $python, which cannot be run"
        return
    fi
    "$how" "$python" "$project/code/tagrun" "$@"
}

# The project is the one around this folder, or else the one whose source.sh this is.
_tagrun_here() {  # [command …]: run it for the project
    local project
    if ! project=$(_tagrun_project "$PWD" || _tagrun_project "$_tagrun_home"); then
        _tagrun_say "no project here or above, and $_tagrun_home is not one any more: source the \
code/source.sh of a project"
        return
    fi
    _tagrun command "$project" "$@"
}

if [ "$_tagrun_how" = exec ]; then
    if ! _tagrun_root=$(_tagrun_project "$_tagrun_home"); then
        _tagrun_say "$_tagrun_home is not a project: code/tagrun is missing there"
        exit 1
    fi
    _tagrun exec "$_tagrun_root" "$@"
    exit
fi


# ---- The names ----

# the keyword, for `tagrun()` would not survive an alias of that name
function tagrun { _tagrun_here "$@"; }

_tagrun_taken() {  # <name>: is it a function, alias or builtin of yours, not ours?
    local kind
    if [ -n "${ZSH_VERSION-}" ]; then kind=$(whence -w "$1"); else kind=$(\builtin type -t "$1"); fi
    case $1:$kind in
        continue:*builtin) return 1 ;;
        *function | *alias | *builtin) ;;
        *) return 1 ;;
    esac
    case $(\builtin typeset -f "$1"; \builtin alias "$1" 2>/dev/null) in
        *_tagrun_here*) return 1 ;;
    esac
}

_tagrun_bind() {  # give each short name its meaning; say once which ones are yours and stay so
    local name taken=''
    for name in run con resume rerun re record title table expls expels itb continue; do
        if _tagrun_taken "$name"; then
            taken="$taken${taken:+, }$name"
        elif [ "$name" = continue ]; then
            _tagrun_bind_continue
        else
            eval "function $name { _tagrun_here $name \"\$@\"; }"
        fi
    done
    case $-:$taken in
        *i*:?*)
            # The backquotes are text.
            # shellcheck disable=SC2016
            \builtin printf 'tagrun: already yours, and left alone: %s (`tagrun <name>` works)\n' \
                "$taken" >&2
            ;;
    esac
}

# A loop's own `continue` and `continue 2` must live on, so only other words make it the command.
# Scripts keep theirs untouched. zsh lets a function continue its caller's loop, unless LOCAL_LOOPS
# is set. bash does not, but what is sourced runs inside the loop: the alias sources a line of its
# own, out of a here-string on descriptor 9. Thus neither needs this file to stay in place.
#
# The quoted text is code for later, and the alias takes $line as it is now:
# shellcheck disable=SC2016,SC2139
_tagrun_bind_continue() {
    local line='case "$# ${2-}" in "1 " | "2 "[0-9] | "2 "[0-9][0-9]) builtin continue "${@:2}" ;;'
    line="$line"' *) _tagrun_here continue "${@:2}" 9<&- ;; esac'
    case $- in *i*) ;; *) return 0 ;; esac
    if [ -z "${ZSH_VERSION-}" ]; then
        \builtin alias continue=". /dev/fd/9 9<<<'$line' _"
    elif [[ ! -o local_loops ]]; then
        eval 'function continue {
            case "$# ${1-}" in
                ("0 " | "1 "[0-9] | "1 "[0-9][0-9]) builtin continue "$@" ;;
                (*) _tagrun_here continue "$@" ;;
            esac
        }'
    fi
}

_tagrun_bind


# ---- Completion ----

case $- in
    *i*)
        if [ -r "$_tagrun_home/code/tagrun/completion.sh" ]; then
            # The linter reads that file by itself.
            # shellcheck disable=SC1091
            . "$_tagrun_home/code/tagrun/completion.sh"
        fi
        ;;
esac
