/* What servers set, and what goes back to them: the jar, and the reading of Set-Cookie. */
#include "test.h"

#include "client/cookie.h"
#include "client/jar.h"
#include "guard.h"
#include "memory.h"

#include <stdio.h>

enum { NOW = 1000000 };

static struct test_memory memory;
static struct swale_allocator allocator;
static struct swale__jar *jar;

static int begin(void **state)
{
    (void)state;
    memory = (struct test_memory){ 0 };
    allocator = test_allocator(&memory);
    return swale__jar_new(&jar, &allocator);
}

static int end(void **state)
{
    (void)state;
    swale__jar_free(jar);
    return memory.blocks == 0 ? 0 : -1;
}

static struct swale_url url_of(const char *text)
{
    struct swale_url url;
    assert_int_equal(swale_url_parse(swale_text(text), &url, NULL), 0);
    return url;
}

static void set_at(const char *where, const char *cookie, int64_t now)
{
    struct swale_url url = url_of(where);
    size_t size = strlen(cookie);
    char *text = guard_copy(cookie, size);
    const struct swale_field fields[] = { { swale_text("X"), swale_text("y=z") },
                                          { swale_text("sET-cookie"), swale_span(text, size) } };
    swale__jar_take(jar, &url, fields, 2, now);
    guard_free(text, size);
}

static void set(const char *where, const char *cookie)
{
    set_at(where, cookie, NOW);
}

static void expect_at(const char *where, const char *cookies, int64_t now)
{
    char out[8192];
    struct swale_url url = url_of(where);
    size_t bound = swale__jar_bound(jar);
    ptrdiff_t size = swale__jar_write(jar, &url, now, out, bound);
    assert_int_equal(size, strlen(cookies));
    assert_memory_equal(out, cookies, (size_t)size);
    if (size > 0)
        assert_int_equal(swale__jar_write(jar, &url, now, out, (size_t)size - 1), SWALE_ERR_TOO_SMALL);
}

static void expect(const char *where, const char *cookies)
{
    expect_at(where, cookies, NOW);
}

/* ---- One cookie ------------------------------------------------------------------------------------- */

/* What comes back to the same URL. */
static void fields_are_read(void **state)
{
    static const char long_path[] = "wss://www.example.com/a/b/c?q";
    static const struct {
        const char *cookie, *sent;
    } rows[] = {
        { "a=b", "a=b" },
        { "a=b;", "a=b" },
        { "  a  =  b c  ; Path=/", "a=b c" },
        { "a=", "a=" },
        { "a=b=c", "a=b=c" },
        { "a=\"b\"", "a=\"b\"" },
        { "a=b; HttpOnly; SameSite=Lax; Priority=High; x", "a=b" },
        { "=b", "" },
        { "a", "" },
        { "a; b=c", "" },
        { "", "" },
        { ";", "" },
        { "a=b\tc", "" },
        { "a=b\x7f", "" },
        { "a=b; Path=/\t", "" },
        { "a=caf\xc3\xa9", "a=caf\xc3\xa9" },
        /* Path */
        { "a=b; Path=/a", "a=b" },
        { "a=b; path=/a/b", "a=b" },
        { "a=b; path=/a/b/", "a=b" },
        { "a=b; path=/a/b/c", "a=b" },
        { "a=b; path=/a/b/c/", "" },
        { "a=b; path=/a/b/cc", "" },
        { "a=b; path=/a/b/c?q", "" },
        { "a=b; path=a", "a=b" },
        { "a=b; path=", "a=b" },
        { "a=b; path", "a=b" },
        { "a=b; path=/z; path=/", "a=b" },
        { "a=b; path=/; path=/z", "" },
        /* Domain */
        { "a=b; Domain=example.com", "a=b" },
        { "a=b; Domain=.Example.COM", "a=b" },
        { "a=b; Domain=www.example.com", "a=b" },
        { "a=b; Domain=", "a=b" },
        { "a=b; Domain=x.www.example.com", "" },
        { "a=b; Domain=ample.com", "" },
        { "a=b; Domain=other.example", "" },
        /* Age */
        { "a=b; Max-Age=1", "a=b" },
        { "a=b; Max-Age=0", "" },
        { "a=b; Max-Age=-1", "" },
        { "a=b; Max-Age=x", "a=b" },
        { "a=b; Max-Age=1x", "a=b" },
        { "a=b; Max-Age=", "a=b" },
        { "a=b; Max-Age=-", "a=b" },
        { "a=b; Max-Age=99999999999999999999999999", "a=b" },
        { "a=b; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "" },
        { "a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "a=b" },
        { "a=b; Expires=never", "a=b" },
        { "a=b; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=5", "a=b" },
        { "a=b; Max-Age=0; Expires=Fri, 31 Dec 9999 23:59:59 GMT", "" },
        /* Secure and the promises of names */
        { "a=b; Secure", "a=b" },
        { "__Secure-a=b; Secure", "__Secure-a=b" },
        { "__Secure-a=b", "" },
        { "__secure-a=b", "" },
        { "__Host-a=b; Secure; Path=/", "__Host-a=b" },
        { "__Host-a=b; Secure; Path=/a", "" },
        { "__Host-a=b; Secure", "" },
        { "__Host-a=b; Path=/", "" },
        { "__host-a=b; Path=/", "" },
        { "__Host-a=b; Secure; Path=/; Domain=www.example.com", "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
        set(long_path, rows[i].cookie);
        expect(long_path, rows[i].sent);
    }
}

static void a_default_path_is_the_directory(void **state)
{
    static const struct {
        const char *from, *to;
        bool sent;
    } rows[] = {
        { "ws://h", "ws://h/x", true },         { "ws://h?q", "ws://h/x", true },
        { "ws://h/a", "ws://h/x", true },       { "ws://h/a/", "ws://h/a", true },
        { "ws://h/a/", "ws://h/ab", false },    { "ws://h/a/b", "ws://h/a/c/d", true },
        { "ws://h/a/b", "ws://h/c", false },    { "ws://h/a/b?x/y/z", "ws://h/a?q", true },
        { "ws://h/a/b/c", "ws://h/a/b", true }, { "ws://h/a/b/c", "ws://h/a", false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
        set(rows[i].from, "a=b");
        expect(rows[i].to, rows[i].sent ? "a=b" : "");
    }
}

/* ---- Whose it is ------------------------------------------------------------------------------------ */

static void cookies_stay_with_their_host(void **state)
{
    (void)state;
    set("ws://example.com", "a=b; Domain=example.com");
    expect("ws://example.com", "a=b");
    expect("ws://EXAMPLE.com:8080/", "a=b");
    expect("wss://example.com", "a=b");
    expect("ws://www.example.com", "");
    expect("ws://example.org", "");
    expect("ws://example.com.", "");
    expect("ws+unix:example.com", "");
}

static void an_address_has_no_domain(void **state)
{
    (void)state;
    set("ws://10.0.0.1", "a=b; Domain=0.0.1");
    expect("ws://10.0.0.1", "");
    set("ws://10.0.0.1", "a=b; Domain=10.0.0.1");
    expect("ws://10.0.0.1", "a=b");
    set("ws://[::1]", "c=d");
    expect("ws://[::1]", "c=d");
    set("ws+unix:/run/app.sock", "e=f");
    expect("ws+unix:/run/app.sock", "e=f");
    expect("ws+unix:/run/other.sock", "");
}

static void secure_cookies_keep_to_tls(void **state)
{
    (void)state;
    set("ws://h/", "no=1; Secure");
    expect("wss://h/", "");
    set("wss://h/", "a=1; Secure; Path=/a");
    expect("ws://h/a", "");
    expect("wss://h/a", "a=1");
    /* Without TLS none can be put over it. */
    set("ws://h/", "a=evil; Path=/a");
    set("ws://h/", "a=evil; Path=/a/b");
    set("ws://h/", "a=0; Path=/a; Max-Age=0");
    expect("wss://h/a/b", "a=1");
    /* One that it does not shadow may live beside it. */
    set("ws://h/", "a=else; Path=/c");
    expect("ws://h/c", "a=else");
    set("wss://h/", "a=2; Path=/a");
    expect("ws://h/a", "a=2");
}

/* ---- Many ------------------------------------------------------------------------------------------- */

static void cookies_are_replaced_and_ordered(void **state)
{
    (void)state;
    set("ws://h/a/b", "one=1; Path=/");
    set("ws://h/a/b", "two=2; Path=/a");
    set("ws://h/a/b", "three=3; Path=/");
    set("ws://h/a/b", "four=4; Path=/a/b");
    expect("ws://h/a/b", "four=4; two=2; one=1; three=3");
    set("ws://h/", "one=new; Path=/"); /* keeps its place: it was there first */
    set("ws://h/", "One=other; Path=/");
    expect("ws://h/", "one=new; three=3; One=other");
    set("ws://h/", "one=; Path=/; Max-Age=0");
    expect("ws://h/", "three=3; One=other");
    set("ws://h/", "one=again; Path=/");
    expect("ws://h/", "three=3; One=other; one=again");
}

static void time_takes_them_away(void **state)
{
    (void)state;
    set("ws://h/", "a=1; Max-Age=10");
    set("ws://h/", "b=2; Expires=Mon, 12 Jan 1970 13:46:45 GMT"); /* NOW + 5 */
    set("ws://h/", "c=3");
    expect_at("ws://h/", "a=1; b=2; c=3", NOW + 4);
    expect_at("ws://h/", "a=1; c=3", NOW + 5);
    expect_at("ws://h/", "a=1; c=3", NOW + 9);
    expect_at("ws://h/", "c=3", NOW + 10);
    expect_at("ws://h/", "c=3", INT64_MAX - 1);
}

static void there_is_room_for_so_many(void **state)
{
    (void)state;
    char cookie[64];
    for (unsigned i = 0; i < SWALE__JAR_COOKIES_MAX; i++) {
        snprintf(cookie, sizeof cookie, "c%u=x; Path=/%u", i, i);
        set("ws://h/", cookie);
    }
    expect("ws://h/0", "c0=x");
    size_t blocks = memory.blocks;
    set("ws://h/", "c0=y; Path=/0"); /* set again: now the one before last was longest ago */
    set("ws://h/", "new=x; Path=/");
    assert_int_equal(memory.blocks, blocks);
    expect("ws://h/0", "c0=y; new=x");
    expect("ws://h/1", "new=x");
    expect("ws://h/2", "c2=x; new=x");
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(cookie, sizeof cookie, "d%u=x", i);
        set("ws://h/", cookie);
    }
    assert_int_equal(memory.blocks, blocks);
}

static void there_is_room_for_so_much(void **state)
{
    (void)state;
    static char cookie[SWALE__JAR_COOKIE_SIZE_MAX + 2];
    memset(cookie, 'x', sizeof cookie - 1);
    cookie[1] = '=';
    set("ws://h/", cookie); /* one byte too many */
    expect("ws://h/", "");
    cookie[SWALE__JAR_COOKIE_SIZE_MAX] = '\0';
    set("ws://h/", cookie);
    expect("ws://h/", cookie);
}

static void what_finds_no_memory_is_left_out(void **state)
{
    (void)state;
    set("ws://h/", "a=1");
    memory.fail_at = memory.allocations + 1;
    set("ws://h/", "b=2");
    set("ws://h/", "c=3");
    expect("ws://h/", "a=1; c=3");
    memory.fail_at = memory.allocations + 1;
    set("ws://h/", "a=new"); /* the old one is not true any more */
    expect("ws://h/", "c=3");
    struct swale__jar *other;
    memory.fail_at = memory.allocations + 1;
    assert_int_equal(swale__jar_new(&other, &allocator), -12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fields_are_read, begin, end),
        cmocka_unit_test_setup_teardown(a_default_path_is_the_directory, begin, end),
        cmocka_unit_test_setup_teardown(cookies_stay_with_their_host, begin, end),
        cmocka_unit_test_setup_teardown(an_address_has_no_domain, begin, end),
        cmocka_unit_test_setup_teardown(secure_cookies_keep_to_tls, begin, end),
        cmocka_unit_test_setup_teardown(cookies_are_replaced_and_ordered, begin, end),
        cmocka_unit_test_setup_teardown(time_takes_them_away, begin, end),
        cmocka_unit_test_setup_teardown(there_is_room_for_so_many, begin, end),
        cmocka_unit_test_setup_teardown(there_is_room_for_so_much, begin, end),
        cmocka_unit_test_setup_teardown(what_finds_no_memory_is_left_out, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
