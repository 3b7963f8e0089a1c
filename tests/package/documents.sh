#!/usr/bin/env bash
# The server of the README compiles without a warning; every link between documents leads somewhere.
set -euo pipefail
cd "$PROJECT"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk '/^```c$/ { on = 1; next } /^```$/ { exit_after = on } exit_after { exit } on' README.md >"$work/server.c"
grep -q swale_server_run "$work/server.c"
[ "$(sed '/^$/d' "$work/server.c" | wc -l)" -le 16 ]
"${CC:-cc}" -std=c17 -Wall -Wextra -Werror -fsyntax-only -Iinclude "$work/server.c"

fail=0
for document in *.md docs/*.md docs/howto/*.md; do
    for target in $(grep -oE '\]\([^)#:]+[)#]' "$document" | tr -d '])(#'); do
        if [ ! -e "$(dirname "$document")/$target" ]; then
            echo "$document: no such file: $target"
            fail=1
        fi
    done
done
exit $fail
