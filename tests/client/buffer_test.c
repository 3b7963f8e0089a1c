/* Bytes that grow. */
#include "test.h"

#include "client/buffer.h"
#include "memory.h"

#include <errno.h>

static struct test_memory memory;

static void bytes_stay_in_order(void **state)
{
    (void)state;
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale__buffer buffer = { 0 };
    assert_int_equal(swale__buffer_put(&buffer, &allocator, swale_span(NULL, 0)), 0);
    assert_null(buffer.data);
    for (unsigned i = 0; i < 1000; i++) {
        char bytes[3] = { (char)i, (char)(i + 1), (char)(i + 2) };
        assert_int_equal(swale__buffer_put(&buffer, &allocator, swale_span(bytes, i % 4)), 0);
    }
    assert_int_equal(buffer.size, 1500);
    assert_true(memory.allocations < 15); /* by doubling */
    size_t at = 0;
    for (unsigned i = 0; i < 1000; i++)
        for (unsigned j = 0; j < i % 4; j++)
            assert_int_equal((unsigned char)swale__buffer_span(&buffer).data[at++], (unsigned char)(i + j));
    swale__buffer_free(&buffer, &allocator);
    assert_int_equal(memory.blocks, 0);
    assert_int_equal(buffer.room, 0);
}

static void what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale__buffer buffer = { 0 };
    assert_int_equal(swale__buffer_put(&buffer, &allocator, swale_text("abc")), 0);
    assert_int_equal(swale__buffer_reserve(&buffer, &allocator, SIZE_MAX), -ENOMEM);
    assert_int_equal(swale__buffer_reserve(&buffer, &allocator, SIZE_MAX / 2 - 2), -ENOMEM);
    memory.fail_at = memory.allocations + 1;
    assert_int_equal(swale__buffer_put(&buffer, &allocator, swale_text("d")), -ENOMEM);
    assert_int_equal(buffer.size, 3);
    assert_memory_equal(buffer.data, "abc", 3);
    assert_int_equal(swale__buffer_put(&buffer, &allocator, swale_text("def")), 0);
    assert_memory_equal(buffer.data, "abcdef", 6);
    swale__buffer_free(&buffer, &allocator);
    assert_int_equal(memory.blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_stay_in_order),
        cmocka_unit_test(what_does_not_fit_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
