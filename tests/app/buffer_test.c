#include "test.h"

#include "app/buffer.h"

static void grows(void **state)
{
    (void)state;
    struct buffer buffer = { 0 };
    for (int i = 0; i < 10000; i++)
        buffer_putf(&buffer, "%04d", i);
    assert_int_equal(buffer.size, 40000);
    assert_memory_equal(buffer.data + 4 * 1234, "1234", 4);
    buffer_drop(&buffer, 4 * 9999);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "9999", 4);
    assert_false(buffer.failed);
    buffer_done(&buffer);
    assert_int_equal(buffer.size, 0);
}

static void remembers_a_failure(void **state)
{
    (void)state;
    struct buffer buffer = { 0 };
    buffer_puts(&buffer, "kept");
    assert_null(buffer_room(&buffer, SIZE_MAX - 2));
    assert_true(buffer.failed);
    buffer_puts(&buffer, "lost");
    buffer_putf(&buffer, "%d", 1);
    assert_int_equal(buffer.size, 4);
    buffer_done(&buffer);
}

static void bears_nothing(void **state)
{
    (void)state;
    struct buffer buffer = { 0 };
    buffer_put(&buffer, swale_span(NULL, 0));
    buffer_drop(&buffer, 0);
    assert_int_equal(buffer.size, 0);
    assert_false(buffer.failed);
    buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(remembers_a_failure),
        cmocka_unit_test(bears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
