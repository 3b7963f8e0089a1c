/* fuzz.h - what every fuzzer has. Each is one function, for libFuzzer or for replay.c to call. */
#ifndef SWALE_FUZZ_FUZZ_H
#define SWALE_FUZZ_FUZZ_H

#include <swale/base.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Any bytes are an input. Aborts when what must hold does not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(condition) ((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))

_Noreturn static inline void fuzz_broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, condition);
    abort();
}

/* The bytes in a block of exactly their size, so that AddressSanitizer sees one that is read too many. */
static inline char *fuzz_copy(const void *data, size_t size)
{
    char *copy = malloc(size + (size == 0));
    require(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

/* Likewise as a C string, which ends at the first NUL. */
static inline char *fuzz_string(const void *data, size_t size)
{
    size = strnlen(data, size);
    char *copy = malloc(size + 1);
    require(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

/* An input is read from its front; behind its end there are zeros. */
struct fuzz_input {
    const uint8_t *at, *end;
};

static inline unsigned fuzz_byte(struct fuzz_input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* At most `size` bytes. */
static inline struct swale_span fuzz_span(struct fuzz_input *input, size_t size)
{
    size_t left = (size_t)(input->end - input->at);
    struct swale_span span = swale_span((const char *)input->at, size < left ? size : left);
    input->at += span.size;
    return span;
}

#endif
