#include "directory.h"

#include <stdio.h>
#include <stdlib.h>

void test_directory(char *path, size_t size)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(path, size, "%s/swale-XXXXXX", parent ? parent : P_tmpdir);
    if (length < 0 || (size_t)length >= size || !mkdtemp(path)) {
        perror("a directory for the test");
        abort();
    }
}
