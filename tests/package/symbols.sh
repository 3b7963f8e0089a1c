#!/usr/bin/env bash
# The shared library exports exactly the API of the headers; base and proto call no socket, no clock, no allocator of their own and
# nothing that prints or exits; nothing in the library aborts, prints, exits or keeps writable global state.
set -euo pipefail
. "$(dirname "$0")/complain.sh"

exported=$(nm -D --defined-only "$BUILD/src/libswale.so" | awk '$2 ~ /^[TDBRV]$/ { print $3 }' | sort)
declared=$(cat "$PROJECT"/include/swale/*.h | tr '\n' ' ' | sed 's|/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/||g' |
    grep -oE 'SWALE_API [^;(]*' | grep -oE 'swale_[a-z0-9_]+ *$' | tr -d ' ' | sort)
{ diff <(echo "$declared") <(echo "$exported") || true; } |
    complain "declared in the headers (<) against exported by the library (>):"

# A sanitizer build calls its own run-time from everywhere.
[ -n "$SANITIZE" ] && exit $fail

calls() { # calls LAYER: undefined symbols of its objects
    find "$BUILD/src/$1" -name '*.o' -exec nm -u {} + | awk '$1 == "U" { print $2 }' | sort -u
}
matching() { grep -xE "$1" || true; }

forbidden_pure='socket|connect|accept4?|bind|listen|send|sendmsg|recv|recvmsg|read|write|open|close|poll|epoll_.*|clock_.*|time|gettimeofday|getrandom|rand|random'
for layer in base proto; do
    calls $layer | matching "$forbidden_pure" | complain "$layer is not pure; it calls:"
done
calls proto | matching 'malloc|calloc|realloc|free' | complain "proto allocates by itself:"
for layer in base proto io conn server client hub; do
    calls $layer | matching 'abort|exit|_exit|printf|puts|fprintf|perror|signal|sigaction|setlocale|stderr|stdout' |
        complain "$layer aborts, prints, exits or touches the process; it calls:"
    # (.data.rel.ro is constant, but for what the loader fills in.)
    find "$BUILD/src/$layer" -name '*.o' -exec objdump -t {} + | awk '$3 == "O" && $4 ~ /^\.(t?data|t?bss)/ { print $4, $6 }' |
        { grep -v '^\.data\.rel\.ro' || true; } | complain "$layer keeps writable data:"
done
exit $fail
