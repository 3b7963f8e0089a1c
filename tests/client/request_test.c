/* The request that an attempt sends: made of the URL, the options and the jar. */
#include "attempt_bed.h"

#include <stdio.h>

static struct bed bed;

/* The request that was heard has all of these lines, and none of those. */
static void expect(const char *const *lines, const char *const *none)
{
    bed.scripts[0] = bed_good("");
    assert_int_equal(bed_run(&bed), 0);
    assert_true(bed.opened);
    for (; *lines; lines++)
        assert_true(bed_heard(&bed, 0, *lines));
    for (; *none; none++)
        assert_false(bed_heard(&bed, 0, *none));
    bed_end(&bed);
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING    ((const char *const[]){ NULL })

static void hosts_and_targets(void **state)
{
    static const struct {
        const char *url, *lines[2];
    } rows[] = {
        { "ws://example.com", { "GET / HTTP/1.1\r\n", "\r\nHost: example.com\r\n" } },
        { "ws://example.com:80/a?b", { "GET /a?b HTTP/1.1\r\n", "\r\nHost: example.com\r\n" } },
        { "ws://example.com:443?b", { "GET /?b HTTP/1.1\r\n", "\r\nHost: example.com:443\r\n" } },
        { "ws://[2001:db8::1]/", { "GET / HTTP/1.1\r\n", "\r\nHost: [2001:db8::1]\r\n" } },
        { "ws://[2001:db8::1]:8080/", { "GET / HTTP/1.1\r\n", "\r\nHost: [2001:db8::1]:8080\r\n" } },
        { "ws+unix:/run/app.sock", { "GET / HTTP/1.1\r\n", "\r\nHost: localhost\r\n" } },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bed_begin(&bed, rows[i].url);
        expect(LINES(rows[i].lines[0], rows[i].lines[1]),
               LINES("Origin:", "Cookie:", "Authorization:", "Sec-WebSocket-Protocol:", "Sec-WebSocket-Extensions:"));
    }
}

static void credentials(void **state)
{
    static const struct {
        const char *url, *credentials, *line;
    } rows[] = {
        { "ws://user:pass@example.com", NULL, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\n" },
        { "ws://user@example.com", NULL, "\r\nAuthorization: Basic dXNlcjo=\r\n" },
        { "ws://us%65r:p%3Ass@example.com", NULL, "\r\nAuthorization: Basic dXNlcjpwOnNz\r\n" },
        { "ws://user:pass@example.com", "a:b", "\r\nAuthorization: Basic YTpi\r\n" },
        { "ws://example.com", "a:b", "\r\nAuthorization: Basic YTpi\r\n" },
        { "ws://example.com", "", "\r\nAuthorization: Basic \r\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bed_begin(&bed, rows[i].url);
        bed.config.options.credentials = rows[i].credentials;
        expect(LINES(rows[i].line), LINES("user", "Host: user", "@"));
    }
}

static void badly_escaped_credentials_are_an_error(void **state)
{
    (void)state;
    bed_begin(&bed, "ws://us%zzer@example.com");
    bed_run(&bed);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_URL);
    assert_string_equal(bed.text, "the request to example.com: the credentials in the URL are badly escaped");
    assert_int_equal(bed.servers[0].heard_size, 0);
    bed_end(&bed);
}

static struct swale_field field(const char *name, const char *value)
{
    return (struct swale_field){ swale_text(name), swale_text(value) };
}

static void fields_of_the_caller_come_first(void **state)
{
    (void)state;
    const struct swale_field fields[] = {
        field("X-One", "1"),
        field("host", "other.example:99"),
        field("authorization", "Bearer token"),
        field("ORIGIN", "https://app.example"),
    };
    bed_begin(&bed, "ws://user:pass@example.com");
    bed.config.options.fields = fields;
    bed.config.options.field_count = COUNT_OF(fields);
    bed.config.options.origin = "https://unused.example";
    expect(LINES("\r\nHost: other.example:99\r\n", "\r\nX-One: 1\r\n", "\r\nauthorization: Bearer token\r\n",
                 "\r\nORIGIN: https://app.example\r\n"),
           LINES("Basic", "unused", "host:", "Host: example.com"));

    bed_begin(&bed, "ws://example.com");
    bed.config.options.origin = "https://app.example";
    expect(LINES("\r\nOrigin: https://app.example\r\n"), NOTHING);
}

static void cookies_are_joined(void **state)
{
    static const struct {
        const char *set[2], *given[2], *line;
    } rows[] = {
        { { NULL }, { NULL }, NULL },
        { { "a=1" }, { NULL }, "\r\nCookie: a=1\r\n" },
        { { "a=1", "b=2" }, { NULL }, "\r\nCookie: a=1; b=2\r\n" },
        { { NULL }, { "c=3" }, "\r\nCookie: c=3\r\n" },
        { { "a=1" }, { "c=3", "d=4; e=5" }, "\r\nCookie: a=1; c=3; d=4; e=5\r\n" },
        { { "a=1; Secure" }, { "c=3" }, "\r\nCookie: c=3\r\n" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct swale__jar *jar;
        struct swale_field set[2], given[2];
        uint32_t set_count = 0;
        size_t given_count = 0;
        bed_begin(&bed, "ws://example.com");
        assert_int_equal(swale__jar_new(&jar, &bed.loop.allocator), 0);
        for (size_t j = 0; j < 2; j++) {
            if (rows[i].set[j])
                set[set_count++] = field("Set-Cookie", rows[i].set[j]);
            if (rows[i].given[j])
                given[given_count++] = field("cookie", rows[i].given[j]);
        }
        swale__jar_take(jar, &bed.config.url, set, set_count, 1000);
        bed.options.jar = jar;
        bed.config.options.fields = given;
        bed.config.options.field_count = given_count;
        bed.scripts[0] = bed_good("Set-Cookie: late=1\r\n");
        bed_run(&bed);
        assert_true(bed.opened);
        assert_true(!rows[i].line || bed_heard(&bed, 0, rows[i].line));
        const char *first = strstr(bed.servers[0].heard, "ookie");
        assert_int_equal(first != NULL, rows[i].line != NULL);
        assert_true(!first || !strstr(first + 1, "ookie:"));

        /* What a 101 sets is sent with the next try. */
        bed_again(&bed);
        bed_run(&bed);
        assert_true(bed_heard(&bed, 0, "late=1"));
        swale__jar_free(jar);
        bed.options.jar = NULL;
        bed_end(&bed);
    }
}

static void each_request_has_a_key_of_its_own(void **state)
{
    (void)state;
    char key[64];
    bed_begin(&bed, "ws://example.com");
    bed.scripts[0] = bed_good("");
    bed_run(&bed);
    snprintf(key, sizeof key, "%.42s", strstr(bed.servers[0].heard, "Sec-WebSocket-Key: "));
    bed_again(&bed);
    bed_run(&bed);
    assert_true(bed_heard(&bed, 0, "Sec-WebSocket-Key: "));
    assert_false(bed_heard(&bed, 0, key));
    bed_end(&bed);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    const struct swale_field bad = field("X", "a\r\nY: b");
    bed_begin(&bed, "ws://example.com");
    bed.config.options.fields = &bad;
    bed.config.options.field_count = 1;
    bed_run(&bed);
    assert_true(bed.failed);
    assert_int_equal(bed.reason, SWALE_ERR_INVALID);
    assert_int_equal(bed.servers[0].heard_size, 0);
    bed_end(&bed);
}

/* A request that does not fit into the stream at once, and one whose every byte is taken alone. */
static void long_requests_go_out_in_pieces(void **state)
{
    (void)state;
    static char value[3000];
    memset(value, 'v', sizeof value - 1);
    const struct swale_field big = field("X", value);
    for (unsigned i = 0; i < 2; i++) {
        bed_begin(&bed, "ws://example.com");
        bed.pair.capacity = 7;
        bed.pair.in_flight = i;
        bed.config.options.fields = &big;
        bed.config.options.field_count = 1;
        bed.scripts[0] = bed_good("");
        bed_run(&bed);
        assert_true(bed.opened);
        assert_true(bed_heard(&bed, 0, value));
        bed_end(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_targets),
        cmocka_unit_test(credentials),
        cmocka_unit_test(badly_escaped_credentials_are_an_error),
        cmocka_unit_test(fields_of_the_caller_come_first),
        cmocka_unit_test(cookies_are_joined),
        cmocka_unit_test(each_request_has_a_key_of_its_own),
        cmocka_unit_test(what_cannot_be_written_is_an_error),
        cmocka_unit_test(long_requests_go_out_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
