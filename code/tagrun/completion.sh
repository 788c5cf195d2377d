# Completion for bash (4.4 or newer) and zsh (after compinit); source.sh sources it in an interactive shell.
#
#     run wide --set hi<Tab>      continue fir<Tab>      table --sort-by <Tab>      itb @<Tab>
#
# It starts no Python: tags, runs and sets are names of files; flags are read out of the verb's file, and columns out of the newest
# finished run's statistic.json, by one awk. It works with any option of yours set, changes none, and leaves only _tagrun* behind.


# ---- What may stand there: for both shells, in a subshell of theirs, one word a line ----

_tagrun_complete() {  # <word so far> <word before it> <verb or ''>
    local now=$1 before=$2 verb=$3 root
    root=$(_tagrun_project "$PWD" || _tagrun_project "$_tagrun_home") || return 0
    case $verb in con | resume) verb=continue ;; re) verb=rerun ;; expels) verb=expls ;; esac
    case $before:$now in
        --set:* | *=*:*) _tagrun_only "$now" $(_tagrun_arguments "$root") ;;
        --from:*) _tagrun_only "$now" best ;;
        --to:*) _tagrun_only "$now" $(_tagrun_sets "$root") ;;
        --search:*) _tagrun_only "$now" random tpe ;;
        --prune:*) _tagrun_only "$now" median hyperband ;;
        --sort-by:* | --metric:* | --over:* | --by:* | --keep:* | --drop:* | --where:*) _tagrun_only "$now" $(_tagrun_columns "$root") ;;
        --sort-order:*) _tagrun_only "$now" asc desc ;;
        --format:*) _tagrun_only "$now" csv md latex html json ;;
        *:-*) _tagrun_only "$now" $(_tagrun_flags "$root" "$verb") ;;
        *) _tagrun_names "$root" "$verb" "$now" ;;
    esac
}

_tagrun_names() {  # <project> <verb> <word so far>: what a verb works on
    case $2:$3 in
        :*) _tagrun_only "$3" $(_tagrun_verbs "$1") ;;
        run:* | setup:* | selftest:* | import:* | fetch:*) ;;     # a new name, or a file
        publish:*) _tagrun_only "$3" gsheet $(_tagrun_sets "$1") ;;
        sweep:*) _tagrun_only "$3" $(_tagrun_arguments "$1"); _tagrun_runs "$1/__result__" "$3" ;;
        queue:*) _tagrun_only "$3" start stop remove logs; _tagrun_runs "$1/__result__" "$3" ;;
        title:* | table:*) _tagrun_only "$3" $(_tagrun_sets "$1") ;;
        *:@*) _tagrun_only "$3" @last $(_tagrun_sets "$1" @) ;;
        report:*) _tagrun_only "$3" $(_tagrun_sets "$1"); _tagrun_runs "$1/__result__" "$3" ;;
        *) _tagrun_runs "$1/__result__" "$3" ;;
    esac
}

_tagrun_only() {  # <word so far> <word> …: those that begin with it
    local now=$1 word
    shift
    for word in "$@"; do
        case $word in "$now"*) \builtin printf '%s\n' "$word" ;; esac
    done
}

_tagrun_runs() {  # <folder of results> <word so far>: tags, or the runs of the one that is meant
    \builtin cd "$1" 2>/dev/null || return 0                            # a subshell is what we are in
    set -- "$2"*                                                        # no slash after it: ten thousand stats less
    if [ $# = 1 ]; then set -- "$1" "$1"/[0-9]*; fi
    if [ $# = 2 ] && [ "${2%/*}" = "$1" ]; then set -- "$1"; fi         # its only run is what the bare tag means
    if [ -e "$1" ]; then \builtin printf '%s\n' "$@" | \command grep -vxF README.md; fi
}

_tagrun_sets() {  # <project> [prefix]
    local place=$1/__statistic__/exper-list prefix=${2-} list
    for list in "$place"/*.txt; do
        list=${list##*/}
        if [ "$list" != '*.txt' ]; then \builtin printf '%s\n' "$prefix${list%.txt}"; fi
    done
}

_tagrun_verbs() {  # <project>: the files that define main(argv)
    local file
    for file in $(\builtin cd "$1/code/tagrun" && \command grep -l '^def main(' command/*.py extra/*.py 2>/dev/null); do
        file=${file##*/}
        \builtin printf '%s\n' "${file%.py}"
    done
}

_tagrun_flags() {  # <project> <verb>: the quoted words with dashes of its options.add_argument lines
    \command awk -F"'" '/options\.add_argument\(.-/ { for (i = 2; i <= NF; i += 2) if ($i ~ /^--?[a-z]/) print $i } END { print "-h\n--help" }' \
        /dev/null "$1/code/tagrun/command/$2.py" "$1/code/tagrun/extra/$2.py" 2>/dev/null
}

_tagrun_arguments() {  # <project>: the names in config.py, with the = that follows them
    \command sed -n 's/^\([A-Za-z][A-Za-z0-9_]*\) *\(:[^=]*\)\{0,1\}=.*/\1=/p' "$1/code/config.py"
}

_tagrun_columns() {  # <project>: hyperparameters and metrics of the newest finished run
    local run
    run=$(\command tail -n 1 "$1/__statistic__/exper-list/finished.txt" 2>/dev/null) || return 0
    \command awk -F'"' '/^  "/ { inside = ($2 == "hparam" || $2 == "metric") } inside && /^    "/ { print $2 }' "$1/__result__/$run/statistic.json"
}


# ---- bash ----

_tagrun_bash() {
    local IFS=$' \t\n' line=${COMP_LINE:0:COMP_POINT} now words found breaks
    now=${line##*[[:space:]]}           # not COMP_WORDS: bash parts words at = and @, which a tag may have
    read -ra words <<<"${line%"$now"}"
    if [[ ${words[0]-} == tagrun ]]; then words=("${words[@]:1}"); fi
    found=$(shopt -u failglob nullglob; set +efu; _tagrun_complete "$now" "${words[@]: -1}" "${words[0]-}" 2>/dev/null)
    COMPREPLY=()
    if [[ -z $found ]]; then return 0; fi
    mapfile -t COMPREPLY <<<"$found"
    if [[ ${#COMPREPLY[@]} == 1 && $found == *= ]]; then compopt -o nospace; fi
    breaks=${COMP_WORDBREAKS-}
    breaks=${breaks//[^@=:]/}
    if [[ -n $breaks && $now == *["$breaks"]* ]]; then
        now=${now%"${now##*["$breaks"]}"}       # readline replaces only what follows the last of them, and a @ with it
        COMPREPLY=("${COMPREPLY[@]#"${now%@}"}")
    fi
}


# ---- zsh ----

_tagrun_zsh() {
    local -a line found
    line=("${(@)words[1,CURRENT-1]}")
    if [[ $line[1] == tagrun ]]; then shift line; fi
    set -- "$PREFIX" "${line[-1]-}" "${line[1]-}"
    found=(${(f)"$(emulate sh; _tagrun_complete "$@" 2>/dev/null)"})
    compadd -S '' -- ${(M)found:#*=}
    compadd -- ${found:#*=}
}


# ---- Which words they serve: those that are ours ----

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
