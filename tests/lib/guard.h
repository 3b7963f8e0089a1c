/* guard.h - memory that ends, or begins, exactly at a page that must not be touched. */
#ifndef SWALE_TEST_GUARD_H
#define SWALE_TEST_GUARD_H

#include <stddef.h>

/* A copy of data[0..size) whose last byte is the last before an inaccessible page: one byte read too far is a
 * crash. Writable. Free with guard_free. */
char *guard_copy(const void *data, size_t size);
void guard_free(char *copy, size_t size);

/* The same with its first byte behind such a page: one byte read too early is a crash. */
char *guard_copy_behind(const void *data, size_t size);
void guard_free_behind(char *copy, size_t size);

#endif
