#include "test.h"

#include "heads.h"
#include "proto/head.h"

static void test_names(void **state)
{
    (void)state;
    assert_true(swale_name_equal(swale_text("Sec-Websocket-KEY"), "sec-webSocket-key"));
    assert_true(swale_name_equal(swale_text(""), ""));
    assert_true(swale_name_equal(swale_text(NULL), ""));
    assert_false(swale_name_equal(swale_text("host"), "hos"));
    assert_false(swale_name_equal(swale_text("hos"), "host"));
    /* '@' and '`', '[' and '{' differ by the same bit as letters do. */
    assert_false(swale_name_equal(swale_text("@["), "`{"));
    assert_false(swale_name_equal(swale_span("a\0b", 3), "a"));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Every byte against every other, wherever it stands in a name of any length. */
static void test_every_byte_of_a_name(void **state)
{
    (void)state;
    char mine[20], theirs[20] = { 0 };
    for (size_t size = 1; size < sizeof mine; size++) {
        size_t at = size / 2;
        memset(mine, 'q', size);
        memset(theirs, 'Q', size);
        theirs[size] = '\0';
        for (int pair = 1; pair < 65536; pair++) {
            mine[at] = (char)(pair >> 8);
            theirs[at] = (char)pair;
            if (theirs[at] != '\0')
                assert_int_equal(swale_name_equal(swale_span(mine, size), theirs),
                                 lower(mine[at]) == lower(theirs[at]));
        }
        for (size_t place = 0; place < size; place++) {
            memset(mine, 'q', size);
            memset(theirs, 'Q', size);
            assert_true(swale_name_equal(swale_span(mine, size), theirs));
            mine[place] = 'r';
            assert_false(swale_name_equal(swale_span(mine, size), theirs));
        }
    }
}

static void test_find(void **state)
{
    (void)state;
    struct heads_held *held = heads_hold("GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\nx: 2\r\n\r\n", true);
    const struct swale_field *fields = held->request.fields;
    uint32_t count = held->request.field_count;
    assert_span_equal(swale_field_find(fields, count, "X", NULL)->value, "1");
    assert_null(swale_field_find(fields, count, "y", NULL));
    uint32_t index = 0;
    assert_span_equal(swale_field_find(fields, count, "x", &index)->value, "1");
    assert_span_equal(swale_field_find(fields, count, "x", &index)->value, "2");
    assert_null(swale_field_find(fields, count, "x", &index));
    assert_null(swale_field_find(fields, count, "x", &index));
    struct swale_span value;
    assert_int_equal(swale__field_single(fields, count, "host", &value), 1);
    assert_span_equal(value, "a");
    assert_int_equal(swale__field_single(fields, count, "x", &value), -1);
    assert_int_equal(swale__field_single(fields, count, "y", &value), 0);
    assert_span_equal(value, "");
    heads_done(held);
}

/* The elements of all List fields, joined with '|'. */
static void check_list(const char *lines, const char *expected)
{
    char head[1024];
    snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
    struct heads_held *held = heads_hold(head, true);
    struct swale_list_cursor cursor = { 0 };
    struct swale_span element;
    char joined[1024] = "";
    while (swale_list_next(held->request.fields, held->request.field_count, "list", &cursor, &element)) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%.*s|", (int)element.size, element.data);
    }
    assert_string_equal(joined, expected);
    assert_false(swale_list_next(held->request.fields, held->request.field_count, "list", &cursor, &element));
    heads_done(held);
}

static void test_lists(void **state)
{
    (void)state;
    check_list("", "");
    check_list("List:\r\n", "");
    check_list("List: , ,,\t,\r\n", "");
    check_list("List: a\r\n", "a|");
    check_list("List: a,b , c\t,d e\r\n", "a|b|c|d e|");
    check_list("List: a\r\nOther: x\r\nlist: b, c\r\nLIST:\r\nList: d\r\n", "a|b|c|d|");
    check_list("List: a; x=\"b, c\", d\r\n", "a; x=\"b, c\"|d|");
    check_list("List: \"a\\\",b\", c\r\n", "\"a\\\",b\"|c|");
    check_list("List: a, \"b, c\r\nList: d\r\n", "a|\"b, c|d|");
    check_list("List: \"b\\\r\nList: d\r\n", "\"b\\|d|");
}

static void test_list_has(void **state)
{
    (void)state;
    struct heads_held *held = heads_hold("GET / HTTP/1.1\r\nHost: a\r\nL: keep-alive, Upgrade\r\n\r\n", true);
    assert_true(swale__list_has(held->request.fields, held->request.field_count, "l", "upgrade"));
    assert_false(swale__list_has(held->request.fields, held->request.field_count, "l", "keep"));
    assert_false(swale__list_has(held->request.fields, held->request.field_count, "m", "upgrade"));
    heads_done(held);
}

static void test_cookies(void **state)
{
    (void)state;
    struct heads_held *held = heads_hold("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=\"2=3\";c= ; =x;; a=9\r\n"
                                         "Cookie: flag;  d = 4 ;e=5\r\n\r\n",
                                         true);
    static const struct {
        const char *name;
        const char *value; /* NULL: there is none */
    } cases[] = { { "a", "1" }, { "b", "\"2=3\"" }, { "c", "" },   { "d", "4" },
                  { "e", "5" }, { "A", NULL },      { "f", NULL }, { "flag", NULL } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale_span value = swale_text("untouched");
        assert_int_equal(swale_cookie_find(&held->request, cases[i].name, &value), cases[i].value != NULL);
        assert_span_equal(value, cases[i].value ? cases[i].value : "untouched");
    }
    heads_done(held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),    cmocka_unit_test(test_every_byte_of_a_name),
        cmocka_unit_test(test_find),     cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_has), cmocka_unit_test(test_cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
