#!/usr/bin/env bash
# An installed copy, moved somewhere else, serves other builds: find_package, pkg-config, shared and static.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$BUILD" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
test -x "$work/prefix/bin/swale"
test -f "$work/prefix/share/man/man1/swale.1"
grep -q "^complete .*_swale swale$" "$work/prefix/share/bash-completion/completions/swale"
head -1 "$work/prefix/share/zsh/site-functions/_swale" | grep -qx "#compdef swale"

# `quick` prints what it is asked for and never listens: enough to show that it links and starts.
cat >"$work/program.c" <<'C'
#include <stdio.h>
#include <swale/swale.h>
int main(void)
{
    struct swale_server *server;
    int error = swale_server_new(&server, &(struct swale_server_options){ .threads = 1 });
    if (error)
        return 1;
    swale_server_free(server);
    puts(swale_version());
    return 0;
}
C
cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(swale 0.1 REQUIRED)
add_executable(with_shared program.c)
target_link_libraries(with_shared PRIVATE swale::swale)
add_executable(with_static program.c)
target_link_libraries(with_static PRIVATE swale::swale_static)
CMAKE
flags=${SANITIZE:+-fsanitize=$SANITIZE}
cmake -S "$work" -B "$work/build" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build "$work/build" >/dev/null
for program in with_shared with_static; do
    "$work/build/$program" | grep -qx '[0-9.]*'
done

library=$(dirname "$(find "$work/prefix" -name swale.pc)")
export PKG_CONFIG_PATH=$library
cc=${CC:-cc}
# shellcheck disable=SC2046,SC2086
$cc $flags "$work/program.c" -o "$work/by_pc" $(pkg-config --cflags --libs swale)
LD_LIBRARY_PATH=$(dirname "$library") "$work/by_pc" | grep -qx '[0-9.]*'
# shellcheck disable=SC2046,SC2086
$cc $flags "$work/program.c" -o "$work/by_pc_static" $(pkg-config --cflags swale) \
    "$(dirname "$library")/libswale.a" $(pkg-config --static --libs-only-l swale | sed 's/-lswale//') -pthread
"$work/by_pc_static" | grep -qx '[0-9.]*'

# (g++ warns about fields that a designated initialiser leaves out.)
for standard in 17 20; do
    # shellcheck disable=SC2046,SC2086
    g++ -std=c++$standard -Wall -Wextra -Wno-missing-field-initializers -pedantic -Werror $flags \
        "$PROJECT/tests/package/user.cpp" -o "$work/in_cpp" $(pkg-config --cflags --libs swale)
    LD_LIBRARY_PATH=$(dirname "$library") "$work/in_cpp" | grep -qx '[0-9.]*'
done
