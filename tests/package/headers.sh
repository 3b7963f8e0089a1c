#!/usr/bin/env bash
# Every installed header compiles alone, as C17 and as C++17, without a warning.
set -euo pipefail
cd "$PROJECT"
for header in include/swale/*.h; do
    gcc -std=c17 -Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude -x c "$header"
    g++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -Iinclude -x c++ "$header"
done
