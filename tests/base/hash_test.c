/* The vectors are from CPython 3.11, whose hash of bytes is SipHash-1-3: PYTHONHASHSEED=0 is the zero key,
 * PYTHONHASHSEED=1 the other one (Python/bootstrap_hash.c, lcg_urandom). */
#include "test.h"

#include "base/hash.h"
#include "guard.h"

struct vector {
    unsigned char key[16];
    size_t size; /* the data is 00 01 02 ... */
    uint64_t hash;
};

#define SEED_1                                                                                                       \
    {                                                                                                                \
        0x29, 0x23, 0xbe, 0x84, 0xe1, 0x6c, 0xd6, 0xae, 0x52, 0x90, 0x49, 0xf1, 0xf1, 0xbb, 0xe9, 0xeb               \
    }

static const struct vector vectors[] = {
    { { 0 }, 1, 0x68a914128e01e473 },   { { 0 }, 7, 0x2f098ab0c751325a },   { { 0 }, 8, 0xead411e67ebe2eea },
    { { 0 }, 15, 0xf30eb725bb91c9ea },  { { 0 }, 16, 0x8972188433a5c5b7 },  { { 0 }, 63, 0x385d3e39e5f37359 },
    { SEED_1, 1, 0xecd3e5afcecda4b9 },  { SEED_1, 7, 0xfd15e78052a69ddf },  { SEED_1, 8, 0xc0b5739e7e28dd01 },
    { SEED_1, 15, 0xfa87985f39e97a53 }, { SEED_1, 16, 0x12e9d283f9f37002 }, { SEED_1, 63, 0x542052345bc68274 },
};

static void matches_other_implementation(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        char data[63];
        for (size_t k = 0; k < vectors[i].size; k++)
            data[k] = (char)k;
        char *edge = guard_copy(data, vectors[i].size);
        assert_true(swale__hash(vectors[i].key, swale_span(edge, vectors[i].size)) == vectors[i].hash);
        guard_free(edge, vectors[i].size);
    }
}

static void empty_span_may_be_null(void **state)
{
    (void)state;
    unsigned char key[16] = { 1 };
    assert_true(swale__hash(key, swale_span(NULL, 0)) == swale__hash(key, swale_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_other_implementation),
        cmocka_unit_test(empty_span_may_be_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
