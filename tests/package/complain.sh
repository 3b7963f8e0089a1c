# Sourced by the checks of the tree. `... | complain TEXT` prints the lines under that text, and has the script fail at
# its end, by `exit $fail`. (The last part of a pipeline runs in the script's own shell, or that would be lost.)
shopt -s lastpipe
fail=0
complain() {
    local lines
    lines=$(cat)
    [ -z "$lines" ] && return
    printf '%s\n%s\n' "$1" "$lines"
    fail=1
}
