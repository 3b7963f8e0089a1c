#include "work.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void guard_broken(const char *file, int line)
{
    fprintf(stderr, "%s:%d: the work went wrong\n", file, line);
    abort();
}

/* ---- Bytes ------------------------------------------------------------------------------------------ */

void guard_fill(char *data, size_t size, enum guard_text text)
{
    static const char *const patterns[] = {
        [GUARD_ASCII] = "plain ASCII text, ", [GUARD_CJK] = "\xe6\xb3\xb3\xe6\xbc\xa2\xe5\xad\x97"
    };
    enum { CHARACTER = 3 };
    memset(data, '.', size);
    size_t length = strlen(patterns[text]);
    for (size_t i = 0; i < size / CHARACTER * CHARACTER; i++)
        data[i] = patterns[text][i % length];
}

size_t guard_frame(char *out, int byte0, bool masked, const char *payload, size_t size)
{
    static const unsigned char key[4] = { 0x37, 0xfa, 0x21, 0x3d };
    int length = swale_frame_header(SWALE_BINARY, false, size, out);
    REQUIRE(length > 0);
    size_t at = (size_t)length;
    out[0] = (char)byte0;
    if (!masked) {
        memcpy(out + at, payload, size);
        return at + size;
    }
    out[1] = (char)(out[1] | 0x80);
    memcpy(out + at, key, sizeof key);
    swale_mask_copy(out + at + sizeof key, payload, size, key, 0);
    return at + sizeof key + size;
}

/* ---- The whole -------------------------------------------------------------------------------------- */

/* What callgrind counts: this, and nothing else. */
__attribute__((noinline)) void guard_measured(const struct work *work);
void guard_measured(const struct work *work)
{
    work->run();
}

/* What the counts depend on. */
static void print_built(void)
{
#if defined(__clang__)
    printf("clang %d", __clang_major__);
#else
    printf("gcc %d", __GNUC__);
#endif
    printf(", glibc %s", gnu_get_libc_version());
#if defined(__x86_64__)
    printf(", x86-64 %s\n", __builtin_cpu_supports("avx512bw") ? "AVX-512"
                            : __builtin_cpu_supports("avx2")   ? "AVX2"
                                                               : "SSE2");
#else
    printf(", not x86-64\n");
#endif
}

static bool wanted(const struct work *work, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], work->name) == 0)
            return true;
    return count == 0;
}

int main(int argc, char **argv)
{
    static const struct work *const groups[] = { proto_works, conn_works, hub_works };
    print_built();
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct work *work = groups[i]; work->name; work++) {
            if (!wanted(work, argc - 1, argv + 1))
                continue;
            if (work->prepare)
                work->prepare();
            work->run();
            guard_measured(work);
            printf("%s %zu\n", work->name, work->units);
        }
    return 0;
}
