/* directory.h - a directory of a test's own. */
#ifndef SWALE_TEST_DIRECTORY_H
#define SWALE_TEST_DIRECTORY_H

#include <stddef.h>

/* Makes an empty directory below TMPDIR, or where the system keeps such things, and writes its path to `path`. The
 * caller removes it. Aborts when it cannot be made or its path does not fit: no test can go on without. */
void test_directory(char *path, size_t size);

#endif
