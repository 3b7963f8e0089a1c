/* test.h - included first by every unit test: cmocka with what it needs, in the order that it needs. */
#ifndef SWALE_TEST_H
#define SWALE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
