#include "test.h"

#include "io/address.h"
#include "memory.h"
#include "server/guard.h"

#include <pthread.h>
#include <stdio.h>

static const unsigned char seed[16] = "0123456789abcdef";

static void begin(struct swale__guard *guard, const struct swale_allocator *allocator, uint64_t total, uint64_t each)
{
    *guard = (struct swale__guard){ 0 };
    swale__guard_init(guard, allocator, seed);
    guard->max_connections = total;
    guard->max_per_address = each;
}

/* What is no address comes from none. */
static int enter(struct swale__guard *guard, const char *text, struct swale__guest **guest)
{
    struct in6_addr address;
    bool known = swale__address_parse_ip(swale_text(text), &address);
    return swale__guard_enter(guard, known ? address.s6_addr : NULL, guest);
}

static void test_total(void **state)
{
    (void)state;
    struct swale__guard guard;
    struct swale__guest *a, *b, *c;
    begin(&guard, NULL, 2, SWALE_UNLIMITED);
    assert_int_equal(enter(&guard, "unix", &a), 0);
    assert_int_equal(enter(&guard, "192.0.2.1", &b), 0);
    assert_int_equal(enter(&guard, "192.0.2.2", &c), SWALE_ERR_TOO_MANY_CONNECTIONS);
    assert_null(c);
    swale__guard_leave(&guard, a);
    assert_int_equal(enter(&guard, "192.0.2.2", &c), 0);
    swale__guard_leave(&guard, b);
    swale__guard_leave(&guard, c);
    swale__guard_done(&guard);
}

/* Whether two connections, from these addresses, count as from one. */
static bool together(const char *one, const char *other)
{
    struct swale__guard guard;
    struct swale__guest *a, *b;
    begin(&guard, NULL, 10, 1);
    assert_int_equal(enter(&guard, one, &a), 0);
    int error = enter(&guard, other, &b);
    swale__guard_leave(&guard, a);
    swale__guard_leave(&guard, b);
    assert_int_equal(guard.connections, 0);
    swale__guard_done(&guard);
    assert_true(error == 0 || error == SWALE_ERR_TOO_MANY_FROM_ADDRESS);
    return error != 0;
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(together("192.0.2.1", "192.0.2.1"));
    assert_false(together("192.0.2.1", "192.0.2.2"));
    assert_true(together("192.0.2.1", "::ffff:192.0.2.1"));
    assert_false(together("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
    assert_true(together("2001:db8::1", "2001:db8::ffff:1"));
    assert_true(together("2001:db8::1", "2001:db8:0:0:ffff::"));
    assert_false(together("2001:db8::1", "2001:db8:0:1::1"));
    assert_true(together("fe80::1", "fe80::2"));
    assert_false(together("unix", "unix"));
    assert_false(together("memory", "memory"));
    assert_false(together("", ""));
}

/* An entry goes with its last connection, and one that is full frees no place for another address. */
static void test_entries_go(void **state)
{
    (void)state;
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale__guard guard;
    struct swale__guest *guests[200];
    begin(&guard, &allocator, 1000, 2);
    for (int i = 0; i < 200; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.0.%d.1", i / 2);
        assert_int_equal(enter(&guard, address, &guests[i]), 0);
    }
    struct swale__guest *more;
    assert_int_equal(enter(&guard, "10.0.7.1", &more), SWALE_ERR_TOO_MANY_FROM_ADDRESS);
    for (int i = 0; i < 200; i++)
        swale__guard_leave(&guard, guests[i]);
    for (int i = 0; i < SWALE__SHARDS; i++)
        assert_int_equal(swale__map_count(&guard.shards[i].addresses), 0);
    swale__guard_done(&guard);
    assert_int_equal(memory.blocks, 0);
}

static void test_memory_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct test_memory memory = { .fail_at = n };
        struct swale_allocator allocator = test_allocator(&memory);
        struct swale__guard guard;
        struct swale__guest *guest;
        begin(&guard, &allocator, 10, 10);
        int error = enter(&guard, "192.0.2.1", &guest);
        if (error)
            assert_int_equal(error, SWALE_ERR_NO_MEMORY);
        assert_int_equal(guard.connections, error ? 0 : 1);
        swale__guard_leave(&guard, guest);
        swale__guard_done(&guard);
        assert_int_equal(memory.blocks, 0);
        if (!error)
            break;
    }
}

static void *come_and_go(void *argument)
{
    struct swale__guard *guard = argument;
    for (int i = 0; i < 5000; i++) {
        char address[32];
        struct swale__guest *guest;
        snprintf(address, sizeof address, "10.0.0.%d", i % 7);
        if (enter(guard, address, &guest) == 0)
            swale__guard_leave(guard, guest);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct swale__guard guard;
    pthread_t threads[3];
    begin(&guard, NULL, 2, 1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &guard), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(guard.connections, 0);
    swale__guard_done(&guard);
}

/* ---- Origins ---------------------------------------------------------------------------------------- */

static int check(const char *first, const char *second, const char *const *origins, size_t count)
{
    struct swale_field fields[3] = { { swale_text("Host"), swale_text("example.com:8080") } };
    struct swale_request request = { .fields = fields, .field_count = 1, .host = fields[0].value };
    if (first)
        fields[request.field_count++] = (struct swale_field){ swale_text("origin"), swale_text(first) };
    if (second)
        fields[request.field_count++] = (struct swale_field){ swale_text("Origin"), swale_text(second) };
    return swale__origin_check(&request, origins, count);
}

static void test_origins(void **state)
{
    (void)state;
    static const char *const listed[] = { "https://app.example", "null" };
    static const char *const any[] = { "*" };
    static const struct {
        const char *origin;
        bool by_default, by_list, by_any;
    } cases[] = {
        { NULL, true, true, true },
        { "http://example.com:8080", true, false, true },
        { "https://EXAMPLE.com:8080", true, false, true },
        { "http://example.com", false, false, true },
        { "http://evil.example", false, false, true },
        { "http://example.com:8080.evil.example", false, false, true },
        { "null", false, true, true },
        { "", false, false, true },
        { "https://app.example", false, true, true },
        { "HTTPS://App.Example", false, true, true },
        { "http://app.example", false, false, true },
        { "https://app.example:8443", false, false, true },
        { "https://app.example/", false, false, true },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(check(cases[i].origin, NULL, NULL, 0), cases[i].by_default ? 0 : SWALE_ERR_ORIGIN);
        assert_int_equal(check(cases[i].origin, NULL, listed, 2), cases[i].by_list ? 0 : SWALE_ERR_ORIGIN);
        assert_int_equal(check(cases[i].origin, NULL, any, 1), cases[i].by_any ? 0 : SWALE_ERR_ORIGIN);
    }
    assert_int_equal(check("http://example.com:8080", "http://example.com:8080", NULL, 0), SWALE_ERR_ORIGIN);
    assert_int_equal(check("http://a.example", "http://b.example", any, 1), SWALE_ERR_ORIGIN);
    assert_int_equal(check("http://a.example", NULL, listed, 0), SWALE_ERR_ORIGIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_total),        cmocka_unit_test(test_addresses), cmocka_unit_test(test_entries_go),
        cmocka_unit_test(test_memory_fails), cmocka_unit_test(test_threads),   cmocka_unit_test(test_origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
