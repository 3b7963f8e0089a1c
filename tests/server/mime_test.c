#include "test.h"

#include "server/mime.h"

#include <string.h>

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type;
    } cases[] = {
        { "index.html", "text/html; charset=utf-8" },
        { "A.HTML", "text/html; charset=utf-8" },
        { "a.min.js", "text/javascript; charset=utf-8" },
        { "x.svg", "image/svg+xml" },
        { "x.wasm", "application/wasm" },
        { "x.html.exe", "application/octet-stream" },
        { "html", "application/octet-stream" },
        { "x.", "application/octet-stream" },
        { ".html", "text/html; charset=utf-8" },
        { "", "application/octet-stream" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(swale__mime_type(swale_text(cases[i].name)), cases[i].type);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_types) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
