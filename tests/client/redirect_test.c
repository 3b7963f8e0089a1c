/* Where redirects lead, which of them are followed, and what goes along. */
#include "attempt_bed.h"

#include "client/redirect.h"
#include "guard.h"

#include <errno.h>
#include <stdio.h>

static struct bed bed;

/* ---- References ------------------------------------------------------------------------------------- */

static void references_are_resolved(void **state)
{
    static const char base[] = "ws://user@a.example/b/c/d;p?q";
    static const struct {
        const char *reference, *url; /* NULL: SWALE_ERR_URL */
    } rows[] = {
        /* The examples of RFC 3986 section 5.4, as far as a scheme of ours can have them. */
        { "http:h", NULL },
        { "g", "ws://a.example:80/b/c/g" },
        { "./g", "ws://a.example:80/b/c/g" },
        { "g/", "ws://a.example:80/b/c/g/" },
        { "/g", "ws://a.example:80/g" },
        { "//g", "ws://g" },
        { "?y", "ws://a.example:80/b/c/d;p?y" },
        { "g?y", "ws://a.example:80/b/c/g?y" },
        { "#s", "ws://a.example:80/b/c/d;p?q" },
        { "g#s", "ws://a.example:80/b/c/g" },
        { "g?y#s", "ws://a.example:80/b/c/g?y" },
        { ";x", "ws://a.example:80/b/c/;x" },
        { "g;x", "ws://a.example:80/b/c/g;x" },
        { "", "ws://a.example:80/b/c/d;p?q" },
        { ".", "ws://a.example:80/b/c/" },
        { "./", "ws://a.example:80/b/c/" },
        { "..", "ws://a.example:80/b/" },
        { "../", "ws://a.example:80/b/" },
        { "../g", "ws://a.example:80/b/g" },
        { "../..", "ws://a.example:80/" },
        { "../../", "ws://a.example:80/" },
        { "../../g", "ws://a.example:80/g" },
        { "../../../g", "ws://a.example:80/g" },
        { "../../../../g", "ws://a.example:80/g" },
        { "/./g", "ws://a.example:80/g" },
        { "/../g", "ws://a.example:80/g" },
        { "g.", "ws://a.example:80/b/c/g." },
        { ".g", "ws://a.example:80/b/c/.g" },
        { "g..", "ws://a.example:80/b/c/g.." },
        { "..g", "ws://a.example:80/b/c/..g" },
        { "./../g", "ws://a.example:80/b/g" },
        { "./g/.", "ws://a.example:80/b/c/g/" },
        { "g/./h", "ws://a.example:80/b/c/g/h" },
        { "g/../h", "ws://a.example:80/b/c/h" },
        { "g;x=1/./y", "ws://a.example:80/b/c/g;x=1/y" },
        { "g;x=1/../y", "ws://a.example:80/b/c/y" },
        { "g?y/./x", "ws://a.example:80/b/c/g?y/./x" },
        { "g?y/../x", "ws://a.example:80/b/c/g?y/../x" },
        /* Schemes */
        { "http://h/x", "ws://h/x" },
        { "HTTPS://h/x", "wss://h/x" },
        { "ws://h", "ws://h" },
        { "wss://h:1?q", "wss://h:1?q" },
        { "https://h/a/../b", "wss://h/b" },
        { "ws+unix:/run/app.sock", NULL },
        { "file:///etc/passwd", NULL },
        { "javascript:1", NULL },
        { "data:,x", NULL },
        { "http:/h/x", NULL },
        { "ftp://h/", NULL },
        /* Userinfo is nobody's. */
        { "http://evil:word@h/x@y", "ws://h/x@y" },
        { "//evil@h:8/x", "ws://h:8/x" },
        /* Odd, but paths */
        { "a//b", "ws://a.example:80/b/c/a//b" },
        { "/a//../b", "ws://a.example:80/a/b" },
        { "/", "ws://a.example:80/" },
        { "/..", "ws://a.example:80/" },
        { "/.", "ws://a.example:80/" },
    };
    (void)state;
    struct swale_url url;
    assert_int_equal(swale_url_parse(swale_text(base), &url, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct swale__buffer out = { 0 };
        size_t size = strlen(rows[i].reference);
        char *guarded = guard_copy(rows[i].reference, size);
        int error = swale__reference_resolve(&out, NULL, &url, swale_span(guarded, size));
        assert_int_equal(error, rows[i].url ? 0 : SWALE_ERR_URL);
        if (rows[i].url) {
            assert_int_equal(out.size, strlen(rows[i].url));
            assert_memory_equal(out.data, rows[i].url, out.size);
        }
        swale__buffer_free(&out, NULL);
        guard_free(guarded, size);
    }
}

static void references_go_by_their_base(void **state)
{
    static const struct {
        const char *base, *reference, *url;
    } rows[] = {
        { "wss://[::1]", "g", "wss://[::1]:443/g" },   { "wss://[::1]?q", "g", "wss://[::1]:443/g" },
        { "wss://h:8?q", "", "wss://h:8?q" },          { "wss://h:8?q", "?r", "wss://h:8?r" },
        { "ws://h/a/./b/../c", "g", "ws://h:80/a/g" }, { "ws://h/a/./c", "g", "ws://h:80/a/g" },
        { "ws://h/a/b/..", "g", "ws://h:80/a/b/g" },   { "ws://h//a", "g", "ws://h:80//g" },
        { "wss://h/a?x/y", "g", "wss://h:443/g" },     { "wss://h/a", "//i", "wss://i" },
        { "wss://h/a", "http://h/a", "ws://h/a" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct swale__buffer out = { 0 };
        struct swale_url url;
        assert_int_equal(swale_url_parse(swale_text(rows[i].base), &url, NULL), 0);
        assert_int_equal(swale__reference_resolve(&out, NULL, &url, swale_text(rows[i].reference)), 0);
        assert_int_equal(out.size, strlen(rows[i].url));
        assert_memory_equal(out.data, rows[i].url, out.size);
        swale__buffer_free(&out, NULL);
    }
}

/* ---- Following -------------------------------------------------------------------------------------- */

/* A redirect with this status and these fields; static storage, for the next eight calls. */
static const char *redirect(int status, const char *fields)
{
    static char answers[8][512];
    static unsigned next;
    char *answer = answers[next++ % 8];
    snprintf(answer, sizeof answers[0], "HTTP/1.1 %d There\r\nContent-Length: 2\r\n%s\r\nhi", status, fields);
    return answer;
}

static void begin(const char *url, uint32_t max_redirects)
{
    bed_begin(&bed, url);
    bed.config.options.max_redirects = max_redirects;
}

static void some_statuses_are_redirects(void **state)
{
    static const struct {
        int status;
        bool follows;
    } rows[] = { { 300, false }, { 301, true },  { 302, true }, { 303, true }, { 304, false },
                 { 305, false }, { 306, false }, { 307, true }, { 308, true }, { 200, false } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin("ws://example.com/a/b?c", 1);
        bed.scripts[0] = redirect(rows[i].status, "Location: d?e\r\n");
        bed.scripts[1] = bed_good("");
        bed_run(&bed);
        assert_int_equal(bed.opened, rows[i].follows);
        assert_int_equal(bed.connections, rows[i].follows ? 2 : 1);
        assert_int_equal(bed.reason, rows[i].follows ? 0 : SWALE_ERR_ANSWER_STATUS);
        if (rows[i].follows) {
            assert_true(bed_heard(&bed, 1, "GET /a/d?e HTTP/1.1\r\nHost: example.com\r\n"));
            assert_true(bed_traced(&bed, "note: redirected to ws://example.com:80/a/d?e\n"));
            assert_true(bed.servers[0].ended || bed.servers[0].failed);
        }
        bed_end(&bed);
    }
}

static void a_redirect_without_a_place_is_a_refusal(void **state)
{
    (void)state;
    begin("ws://example.com/", 1);
    bed.scripts[0] = redirect(302, "");
    bed_run(&bed);
    assert_int_equal(bed.reason, SWALE_ERR_ANSWER_STATUS);
    assert_string_equal(bed.body, "hi");
    bed_end(&bed);
}

static void some_ways_are_not_taken(void **state)
{
    static const struct {
        const char *fields, *text;
    } rows[] = {
        { "Location: file:///etc/passwd\r\n", "to what is not a ws or http URL" },
        { "Location: ws+unix:/run/docker.sock\r\n", "to what is not a ws or http URL" },
        { "Location: http://\r\n", "to what is not a ws or http URL" },
        { "Location: http://h:0/\r\n", "to what is not a ws or http URL" },
        { "Location: http://a b/\r\n", "to what is not a ws or http URL" },
        { "Location: http://a@b@c/\r\n", "to what is not a ws or http URL" },
        { "Location: /\xc3\xa9\r\n", "to what is not a ws or http URL" },
        { "Location: /a\r\nLocation: /b\r\n", "to several places" },
        { "Location: https://example.com/\r\n", "to wss, without TLS" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[256];
        begin("ws://example.com/", 5);
        bed.scripts[0] = redirect(302, rows[i].fields);
        bed_run(&bed);
        assert_int_equal(bed.connections, 1);
        assert_int_equal(bed.reason, SWALE_ERR_REDIRECT);
        assert_int_equal(bed.status, 302);
        assert_string_equal(bed.body, "hi");
        snprintf(text, sizeof text, "example.com answered 302 Found: a redirect %s", rows[i].text);
        assert_string_equal(bed.text, text);
        bed_end(&bed);
    }
}

static void a_loop_comes_to_an_end(void **state)
{
    (void)state;
    begin("ws://example.com/", 5);
    for (unsigned i = 0; i < BED_SERVERS; i++)
        bed.scripts[i] = redirect(301, "Location: /\r\n");
    bed_run(&bed);
    assert_int_equal(bed.connections, 6);
    assert_int_equal(bed.reason, SWALE_ERR_REDIRECT);
    assert_string_equal(bed.text, "example.com answered 301 Moved Permanently: a redirect beyond those allowed");
    bed_end(&bed);
}

static void a_socket_of_the_file_system_leads_nowhere(void **state)
{
    (void)state;
    begin("ws+unix:/run/app.sock", 5);
    bed.scripts[0] = redirect(301, "Location: ws://example.com/\r\n");
    bed_run(&bed);
    assert_int_equal(bed.connections, 1);
    assert_int_equal(bed.reason, SWALE_ERR_REDIRECT);
    bed_end(&bed);
}

/* The deadline is one for all of it. */
static void redirects_gain_no_time(void **state)
{
    (void)state;
    begin("ws://example.com/", 5);
    bed.scripts[0] = redirect(301, "Location: /b\r\n");
    bed_run(&bed);
    assert_int_equal(bed.connections, 2);
    test_loop_advance(&bed.loop, 10000);
    assert_int_equal(bed.reason, SWALE_ERR_HANDSHAKE_TIMEOUT);
    bed_end(&bed);
}

/* ---- What goes along -------------------------------------------------------------------------------- */

static struct swale__jar *jar;

static void begin_with_secrets(const char *url)
{
    static const struct swale_field fields[] = {
        { { "X-Token", 7 }, { "secret", 6 } },
        { { "Cookie", 6 }, { "mine=secret", 11 } },
        { { "Host", 4 }, { "inner.example", 13 } },
    };
    begin(url, 5);
    assert_int_equal(swale__jar_new(&jar, &bed.loop.allocator), 0);
    bed.options.jar = jar;
    bed.config.options.fields = fields;
    bed.config.options.field_count = COUNT_OF(fields);
    bed.config.options.credentials = "secret:secret";
    bed.config.options.origin = "https://secret.example";
    bed.config.connect_host = swale_text("10.0.0.1");
    bed.config.connect_port = 99;
}

static void end_with_secrets(void)
{
    swale__jar_free(jar);
    bed.options.jar = NULL;
    bed_end(&bed);
}

static void the_same_origin_gets_everything(void **state)
{
    (void)state;
    begin_with_secrets("ws://example.com/");
    bed.scripts[0] = redirect(302, "Location: http://EXAMPLE.com:80/b\r\nSet-Cookie: set=here\r\n");
    bed.scripts[1] = bed_good("");
    bed_run(&bed);
    assert_true(bed.opened);
    assert_string_equal(bed.servers[1].host, "10.0.0.1");
    assert_true(bed_heard(&bed, 1, "Host: inner.example\r\n"));
    assert_true(bed_heard(&bed, 1, "X-Token: secret\r\n"));
    assert_true(bed_heard(&bed, 1, "Cookie: set=here; mine=secret\r\n"));
    assert_true(bed_heard(&bed, 1, "Authorization: Basic "));
    assert_true(bed_heard(&bed, 1, "Origin: https://secret.example\r\n"));
    end_with_secrets();
}

/* Another host, port or scheme; and once there, the way back makes nothing good. */
static void another_origin_gets_nothing(void **state)
{
    static const struct {
        const char *location, *host;
        unsigned port;
    } rows[] = { { "http://other.example/", "other.example", 80 }, { "http://example.com:81/", "example.com", 81 } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char fields[256];
        begin_with_secrets("ws://example.com/");
        snprintf(fields, sizeof fields, "Location: %s\r\nSet-Cookie: set=here\r\n", rows[i].location);
        bed.scripts[0] = redirect(302, fields);
        bed.scripts[1] = redirect(302, "Location: ws://example.com/back\r\n");
        bed.scripts[2] = bed_good("");
        bed_run(&bed);
        assert_true(bed.opened);
        assert_string_equal(bed.servers[1].host, rows[i].host);
        assert_int_equal(bed.servers[1].port, rows[i].port);
        assert_string_equal(bed.servers[2].host, "example.com");
        for (unsigned server = 1; server <= 2; server++) {
            assert_false(bed_heard(&bed, server, "secret"));
            assert_false(bed_heard(&bed, server, "Basic"));
            assert_false(bed_heard(&bed, server, "inner.example"));
        }
        /* A cookie goes to its host, whatever the port (RFC 6265 section 8.5), and to no other. */
        assert_int_equal(bed_heard(&bed, 1, "set=here"), i == 1);
        assert_true(bed_heard(&bed, 2, "Cookie: set=here\r\n"));
        end_with_secrets();
    }
}

static void tls_is_not_left_nor_lent(void **state)
{
    static const struct {
        const char *url, *location;
        bool own_tls;
        const char *text; /* NULL: it is followed */
    } rows[] = {
        { "ws://example.com/", "https://example.com/", false, NULL },
        { "ws://example.com/", "https://example.com/", true,
          "to another origin, with TLS settings that were meant for the first" },
        { "ws://example.com/", "ws://other.example/", true, NULL },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char fields[256], text[256];
        begin(rows[i].url, 1);
        assert_int_equal(swale_tls_client(&bed.options.tls, &(struct swale_tls_options){ 0 }, NULL), 0);
        bed.config.options.tls = rows[i].own_tls ? bed.options.tls : NULL;
        bed.config.options.tls_server_name = "secret.example";
        snprintf(fields, sizeof fields, "Location: %s\r\n", rows[i].location);
        bed.scripts[0] = redirect(302, fields);
        bed_run(&bed);
        assert_int_equal(bed.connections, rows[i].text ? 1 : 2);
        if (rows[i].text) {
            snprintf(text, sizeof text, "example.com answered 302 Found: a redirect %s", rows[i].text);
            assert_string_equal(bed.text, text);
            assert_int_equal(bed.reason, SWALE_ERR_REDIRECT);
        } else if (strncmp(rows[i].location, "https", 5) == 0) {
            /* A ClientHello has come, with the new host's name. */
            assert_int_equal(bed.servers[1].heard[0], 0x16);
            bool named = false;
            for (size_t at = 0; at + 11 <= bed.servers[1].heard_size; at++)
                named = named || memcmp(bed.servers[1].heard + at, "example.com", 11) == 0;
            assert_true(named);
        }
        bed_end(&bed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_resolved),
        cmocka_unit_test(references_go_by_their_base),
        cmocka_unit_test(some_statuses_are_redirects),
        cmocka_unit_test(a_redirect_without_a_place_is_a_refusal),
        cmocka_unit_test(some_ways_are_not_taken),
        cmocka_unit_test(a_loop_comes_to_an_end),
        cmocka_unit_test(a_socket_of_the_file_system_leads_nowhere),
        cmocka_unit_test(redirects_gain_no_time),
        cmocka_unit_test(the_same_origin_gets_everything),
        cmocka_unit_test(another_origin_gets_nothing),
        cmocka_unit_test(tls_is_not_left_nor_lent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
