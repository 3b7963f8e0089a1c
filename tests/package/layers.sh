#!/usr/bin/env bash
# Each layer includes only itself and the layers below it (docs/design.md); only src/io/tls* knows OpenSSL's TLS;
# installed headers name no operating system, OpenSSL or zlib header; the program uses only installed headers.
set -euo pipefail
cd "$PROJECT"
. "$(dirname "$0")/complain.sh"

# only LAYER ALLOWED...: private includes of the layer.
only() {
    local layer=$1 allowed
    shift
    allowed=$(printf '%s|' "$layer" "$@")
    { grep -nE '^#include "' -r "src/$layer" || true; } |
        { grep -vE "#include \"(${allowed%|})/" || true; } |
        complain "$layer includes a sibling or a higher layer:"
}

# public LAYER HEADER...: installed headers that the layer may include.
public() {
    local layer=$1 allowed
    shift
    allowed=$(printf '%s|' "$@")
    { grep -nE '^#include <swale/' -r "src/$layer" || true; } |
        { grep -vE "<swale/(${allowed%|})\.h>" || true; } |
        complain "$layer includes the public header of a higher layer:"
}

only base
only proto base
only io base
only conn base proto io
only server base proto io conn
only client base proto io conn
only hub base proto io conn
public base base
public proto base proto
public io base loop tls
public conn base proto loop tls conn
public server base proto loop tls conn server
public client base proto loop tls conn client blocking
public hub base proto loop conn hub

{ grep -nE '^#include "(base|proto|io|conn|server|client|hub)/' -r src/app || true; } | complain "the program uses private headers:"
{ grep -lE '^#include <openssl/ssl\.h>' -r src || true; } | { grep -v '^src/io/tls' || true; } |
    complain "OpenSSL's TLS outside src/io/tls*:"
{ grep -nE '^#include <' -r include || true; } | { grep -vE '<(swale/[a-z]+|std[a-z]+|string)\.h>' || true; } |
    complain "an installed header includes something of the system:"
exit $fail
