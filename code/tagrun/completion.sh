# Completion for bash (4.4 or newer) and zsh (after compinit); an interactive source.sh reads it.
# shellcheck shell=bash
#
#     run wide --set hi<Tab>      continue fir<Tab>      table --sort-by <Tab>      itb @<Tab>
#
# It starts no Python: tags, runs and sets are names of files. One awk reads the options out of the
# sources, or the columns out of the newest finished run's statistic.json. It works with any shell
# option of yours, changes none, and leaves only _tagrun* behind.


# ---- The words that can follow: for both shells, in a subshell of theirs, one word a line ----

_tagrun_complete() {  # <word so far> <word before it> <command or ''>
    local now=$1 before=$2 command=$3 root
    # source.sh defines both:
    # shellcheck disable=SC2154
    root=$(_tagrun_project "$PWD" || _tagrun_project "$_tagrun_home") || return 0
    case $command in con | resume) command='continue' ;; re) command='rerun' ;; esac
    case $command in expels) command='expls' ;; esac
    case $before:$now in
        --set:* | *=*:*) _tagrun_arguments "$root" ;;
        --weights-from:*) _tagrun_runs "$root/__result__" "$now" ;;
        --from:*)
            if [ "$command" = run ]; then _tagrun_runs "$root/__result__" "$now"
            else _tagrun_words best last; fi
            ;;
        --to:*) _tagrun_sets "$root" ;;
        --search:*) _tagrun_words random tpe ;;
        --prune:*) _tagrun_words median hyperband ;;
        --sort-by:* | --metric:* | --over:* | --by:* | --keep:* | --drop:* | --where:*)
            _tagrun_columns "$root"
            ;;
        --sort-order:*) _tagrun_words asc desc ;;
        --format:*) _tagrun_words csv md latex html json ;;
        *:-*) _tagrun_options "$root" "$command" ;;
        *) _tagrun_names "$root" "$command" "$now" ;;
    esac | _tagrun_matching "$now"
}

_tagrun_names() {  # <project> <command> <word so far>: what a command works on
    case $2:$3 in
        :*) _tagrun_commands "$1" ;;
        # a new name, or a file
        run:* | setup:* | selftest:* | import:* | fetch:*) ;;
        recipe:*) _tagrun_recipes "$1" ;;
        publish:*) _tagrun_words gsheet; _tagrun_sets "$1" ;;
        sweep:*) _tagrun_arguments "$1"; _tagrun_runs "$1/__result__" "$3" ;;
        queue:*) _tagrun_words start stop remove priority logs; _tagrun_runs "$1/__result__" "$3" ;;
        title:* | table:*) _tagrun_sets "$1" ;;
        *:@*) _tagrun_words @last; _tagrun_sets "$1" @ ;;
        report:*) _tagrun_sets "$1"; _tagrun_runs "$1/__result__" "$3" ;;
        *) _tagrun_runs "$1/__result__" "$3" ;;
    esac
}

_tagrun_words() {  # <word> …
    \builtin printf '%s\n' "$@"
}

_tagrun_matching() {  # <word so far>: the lines of the input that begin with it
    # not awk -v, which takes a backslash for the begin of an escape
    _tagrun_now=$1 \command awk 'index($0, ENVIRON["_tagrun_now"]) == 1'
}

_tagrun_runs() {  # <folder of results> <word so far>: tags, or the runs of the one that is meant
    # a subshell is what we are in
    \builtin cd "$1" 2>/dev/null || return 0
    # no slash after it: that saves ten thousand stats
    set -- "$2"*
    if [ $# = 1 ]; then set -- "$1" "$1"/[0-9]*; fi
    # its only run is what the bare tag means
    if [ $# = 2 ] && [ "${2%/*}" = "$1" ]; then set -- "$1"; fi
    if [ -e "$1" ]; then \builtin printf '%s\n' "$@" | \command grep -vxF README.md; fi
}

_tagrun_sets() {  # <project> [prefix]
    local lists=$1/__statistic__/exper-list prefix=${2-} list
    for list in "$lists"/*.txt; do
        list=${list##*/}
        if [ "$list" != '*.txt' ]; then \builtin printf '%s\n' "$prefix${list%.txt}"; fi
    done
}

_tagrun_recipes() {  # <project>
    local folder
    for folder in "$1"/code/tagrun/recipes/*/; do
        folder=${folder%/}
        \builtin printf '%s\n' "${folder##*/}"
    done
}

_tagrun_commands() {  # <project>: the files that define main(argv)
    local file
    \command find "$1/code/tagrun/command" "$1/code/tagrun/extra" -maxdepth 2 -name '*.py' \
        -exec grep -l '^def main(argv' {} + 2>/dev/null | while \builtin read -r file; do
        file=${file##*/}
        \builtin printf '%s\n' "${file%.py}"
    done
}

# The options of a command are the first words of each call of add_argument, or of `add` for short,
# in its file (`tagrun proof` has a second one in bench/), and in each part whose add_options it
# calls. What is called that is not the name of a file stands for all engines: on_<engine>.py.
_tagrun_options() {  # <project> <command>
    local tool=$1/code/tagrun
    \command find "$tool/command" "$tool/core" "$tool/extra" "$tool/bench" -name '*.py' \
        -exec awk -v command="$2" '
        FNR == 1 { file = FILENAME; sub(/.*\//, "", file); sub(/[.]py$/, "", file); known[file] }
        !inside && !/add/ { next }
        match($0, /[A-Za-z_]*[)]?[.]add_options[(]/) {
            part = substr($0, RSTART, RLENGTH); sub(/[.].*/, "", part)
            parts[file] = parts[file] part " "
        }
        /add_options[(].*training=False/ { alone[file] }
        sub(/^ *add[(]|.*[.]add_argument[(]/, "") { inside = 1; line = "" }
        inside && /SUPPRESS/ { inside = 0 }
        inside {
            line = line $0
            while (match(line, /^[ ,]*["\047]--?[A-Za-z][A-Za-z0-9_-]*["\047]/)) {
                option = substr(line, 1, RLENGTH); gsub(/[ ,"\047]/, "", option)
                options[file] = options[file] option "\n"
                line = substr(line, RLENGTH + 1)
            }
            if (line !~ /^[ ,]*$/) inside = 0
        }
        function show(file,    names, count, i, engine) {
            if (file in shown) return
            shown[file]
            # an evaluation has one process
            if (command in alone) sub(/--nproc\n/, "", options[file])
            printf "%s", options[file]
            count = split(parts[file], names, " ")
            for (i = 1; i <= count; i++)
                if (names[i] in known) show(names[i])
                else for (engine in known) if (engine ~ /^on_/) show(engine)
        }
        END { show(command); print "-h\n--help" }' {} + 2>/dev/null
}

_tagrun_arguments() {  # <project>: the names in config.py, with the = that follows them
    \command sed -n 's/^\([A-Za-z][A-Za-z0-9_]*\) *\(:[^=]*\)\{0,1\}=.*/\1=/p' "$1/code/config.py"
}

_tagrun_columns() {  # <project>: hyperparameters and metrics of the newest finished run
    local run
    run=$(\command tail -n 1 "$1/__statistic__/exper-list/finished.txt" 2>/dev/null) || return 0
    \command awk -F'"' '
        /^  "/ { inside = ($2 == "hparam" || $2 == "metric") }
        inside && /^    "/ { print $2 }' "$1/__result__/$run/statistic.json"
}


# ---- bash ----

_tagrun_bash() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} now words replies breaks
    # not COMP_WORDS: bash parts words at = and @, which a tag may have
    now=${line##*[[:space:]]}
    read -ra words <<<"${line%"$now"}"
    if [[ ${words[0]-} == tagrun ]]; then words=("${words[@]:1}"); fi
    replies=$(
        shopt -u failglob nullglob
        set +efu
        _tagrun_complete "$now" "${words[@]: -1}" "${words[0]-}" 2>/dev/null
    )
    COMPREPLY=()
    if [[ -z $replies ]]; then return 0; fi
    mapfile -t COMPREPLY <<<"$replies"
    if [[ ${#COMPREPLY[@]} == 1 && $replies == *= ]]; then compopt -o nospace; fi
    breaks=${COMP_WORDBREAKS-}
    breaks=${breaks//[^@=:]/}
    if [[ -n $breaks && $now == *["$breaks"]* ]]; then
        # readline replaces only what follows the last of them, and a @ with it
        now=${now%"${now##*["$breaks"]}"}
        COMPREPLY=("${COMPREPLY[@]#"${now%@}"}")
    fi
}


# ---- zsh ----

# These lines are zsh, which the linter cannot read: flags of expansions, arrays, zsh's own $PREFIX.
# shellcheck disable=SC2296,SC2086,SC2128,SC2153,SC2203,SC2206,SC1087
_tagrun_zsh() {
    local -a line replies
    line=("${(@)words[1,CURRENT-1]}")
    if [[ $line[1] == tagrun ]]; then shift line; fi
    set -- "$PREFIX" "${line[-1]-}" "${line[1]-}"
    replies=(${(f)"$(emulate sh; _tagrun_complete "$@" 2>/dev/null)"})
    compadd -S '' -- ${(M)replies:#*=}
    compadd -- ${replies:#*=}
}


# ---- The words that it completes: those of ours ----

_tagrun_bind_completion() {
    local name
    for name in tagrun run continue con resume rerun re record title table expls expels itb; do
        if _tagrun_taken "$name"; then
            :
        elif [ -z "${ZSH_VERSION-}" ]; then
            \builtin complete -o default -F _tagrun_bash "$name"
        elif [ -n "${functions[compdef]-}" ]; then
            compdef _tagrun_zsh "$name"
        fi
    done
}

_tagrun_bind_completion
