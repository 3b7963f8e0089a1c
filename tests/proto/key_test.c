#include "test.h"

#include "proto/key.h"

static void test_accept(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" }, /* RFC 6455 section 1.3 */
        { "x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk=" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char accept[SWALE_ACCEPT_SIZE];
        swale_upgrade_accept(cases[i][0], accept);
        assert_memory_equal(accept, cases[i][1], sizeof accept);
    }
}

static void test_key(void **state)
{
    (void)state;
    char key[SWALE_KEY_SIZE + 1] = { 0 };
    key[SWALE_KEY_SIZE] = 'X'; /* not terminated: what lies behind stays */
    swale_upgrade_key((const unsigned char *)"the sample nonce", key);
    assert_memory_equal(key, "dGhlIHNhbXBsZSBub25jZQ==X", SWALE_KEY_SIZE + 1);
}

static void test_valid(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        bool valid;
    } cases[] = {
        { "dGhlIHNhbXBsZSBub25jZQ==", true },
        { "+/+/+/+/+/+/+/+/+/+/+w==", true },
        { "AAAAAAAAAAAAAAAAAAAAAB==", true }, /* bits that are not used */
        { "", false },
        { "dGhlIHNhbXBsZSBub25jZQ=", false },
        { "dGhlIHNhbXBsZSBub25jZQ===", false },
        { "dGhlIHNhbXBsZSBub25jZQ", false },
        { "dGhlIHNhbXBsZSBub25jZQAA", false }, /* 18 bytes */
        { "dGhlIHNhbXBsZSBub25jZQA=", false }, /* 17 bytes */
        { "dGhlIHNhbXBsZSBub25jZQ=A", false },
        { "dGhlIHNhbXBsZSBub25jZ===", false },
        { "dGhlIHNhbXBsZSBub25j-_==", false }, /* base64url */
        { "dGhlIHNhbX sZSBub25jZQ==", false },
        { "dGhlIHNhbX{sZSBub25jZQ==", false },
        { "dGhlIHNhbX:sZSBub25jZQ==", false },
        { "dGhlIHNhbX=sZSBub25jZQ==", false },
        { "dGhlIHNhbX\xc3sZSBub25jZQ==", false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(swale__key_valid(swale_text(cases[i].key)), cases[i].valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
