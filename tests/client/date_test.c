/* Dates as HTTP writes them, and Retry-After. */
#include "test.h"

#include "client/date.h"
#include "guard.h"

#include <stdio.h>

static void dates_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: none */
    } rows[] = {
        /* The three forms of RFC 9110 section 5.6.7. */
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
        { "Sun Nov  6 08:49:37 1994", 784111777 },
        /* What else cookies have (RFC 6265 section 5.1.1). */
        { "06-nov-1994 8:49:37", 784111777 },
        { "1994 6 NOVEMBER 08:49:37", 784111777 },
        { "08:49:37 06 Nov 94", 784111777 },
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
        { "Mon, 29 Feb 2016 12:00:00 GMT", 1456747200 },
        { "Tue, 29 Feb 2000 00:00:00 GMT", 951782400 },
        { "Wed, 01 Mar 2000 00:00:00 GMT", 951868800 },
        { "Tue, 31 Dec 1602 00:00:00 GMT", -11581488000 },
        { "01 Jan 69 00:00:00", 3124224000 },
        { "01 Jan 70 00:00:00", 0 },
        { "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800 },
        { "06{Nov[1994@08:49:37~", 784111777 },
        { "06\tNov`1994;08:49:37", 784111777 },
        { "06 Nov 1994 08:49:37\x7f", 784111777 },
        { "06 Nov 1994\xff 08:49:37", 784111777 },
        /* What is none */
        { "", -1 },
        { "soon", -1 },
        { "06 Nov 1994", -1 },
        { "Nov 1994 08:49:37", -1 },
        { "06 1994 08:49:37", -1 },
        { "06 Nov 08:49:37", -1 },
        { "30 Feb 2016 08:49:37", -1 },
        { "29 Feb 2015 08:49:37", -1 },
        { "29 Feb 1900 08:49:37", -1 },
        { "00 Nov 1994 08:49:37", -1 },
        { "31 Nov 1994 08:49:37", -1 },
        { "06 Nov 1994 24:00:00", -1 },
        { "06 Nov 1994 08:60:00", -1 },
        { "06 Nov 1994 08:49:61", -1 },
        { "06 Nov 1994 08:49", -1 },
        { "06 Nov 1994 008:49:37", -1 },
        { "06 Nov 1994 08:049:37", -1 },
        { "06 Nov 1994 08:49:037", -1 },
        { "06 Nov 1994 08:49:", -1 },
        { "06 Nov 1994 08:49", -1 },
        { "06 Nov 1994 08:49?37", -1 },
        { "06 Nov 1994 08::37", -1 },
        { "06 Nov 1994 08", -1 },
        { "06 Nov 1994 08\x7f"
          "49:37",
          -1 },
        { "06 Nov 1600 08:49:37", -1 },
        { "06 Nov 19940 08:49:37", -1 },
        { "06 Nvo 1994 08:49:37", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t size = strlen(rows[i].text);
        char *text = guard_copy(rows[i].text, size);
        int64_t seconds = -1;
        bool good = swale__date_parse(swale_span(text, size), &seconds);
        assert_int_equal(good, rows[i].seconds != -1);
        assert_int_equal(seconds, rows[i].seconds);
        guard_free(text, size);
    }
}

static void every_day_has_its_place(void **state)
{
    static const char *const months[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec" };
    static const unsigned lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    (void)state;
    int64_t expected = -11644473600; /* 1601-01-01 */
    for (unsigned year = 1601; year < 2401; year++) {
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (unsigned month = 0; month < 12; month++) {
            unsigned length = lengths[month] + (month == 1 && leap);
            for (unsigned day = 1; day <= length; day += 9, expected += 9 * 86400) {
                char text[64];
                int64_t seconds;
                int size = snprintf(text, sizeof text, "%u %s %u 0:0:0", day, months[month], year);
                assert_true(swale__date_parse(swale_span(text, (size_t)size), &seconds));
                assert_int_equal(seconds, expected);
            }
            expected += ((int64_t)length - (length + 8) / 9 * 9) * 86400;
        }
    }
}

static void retry_after_is_read(void **state)
{
    static const int64_t now = 784111777;
    static const struct {
        const char *value;
        int64_t ms;
    } rows[] = {
        { "0", 0 },
        { "120", 120000 },
        { "000000000000000000000000000000001", 1000 },
        { "99999999999999999999999999999999999", 2147483647000 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
        { "Sun, 06 Nov 1994 08:49:36 GMT", 0 },
        { "Sun, 06 Nov 1994 08:50:37 GMT", 60000 },
        { "Sunday, 06-Nov-94 08:50:37 GMT", 60000 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", (253402300799 - 784111777) * 1000 },
        { "", -1 },
        { "-1", -1 },
        { "1.5", -1 },
        { "12 s", -1 },
        { "tomorrow", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct swale_field fields[] = { { swale_text("A"), swale_text("b") },
                                        { swale_text("retry-AFTER"), swale_text(rows[i].value) },
                                        { swale_text("Retry-After"), swale_text(rows[i].value) } };
        assert_int_equal(swale__retry_after(fields, 2, now), rows[i].ms);
        assert_int_equal(swale__retry_after(fields, 1, now), -1);
        assert_int_equal(swale__retry_after(fields, 3, now), -1); /* which of the two? */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(every_day_has_its_place),
        cmocka_unit_test(retry_after_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
