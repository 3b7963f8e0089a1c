#include "test.h"

#include "io/address.h"

#include <arpa/inet.h>

static void good_addresses_come_back_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *formatted;
        int family;
        bool listening_only;
    } cases[] = {
        { "127.0.0.1:80", NULL, AF_INET, false },
        { "0.0.0.0:65535", NULL, AF_INET, false },
        { "localhost:8080", "127.0.0.1:8080", AF_INET, false },
        { "[::1]:443", NULL, AF_INET6, false },
        { "[2001:DB8:0:0::1]:1", "[2001:db8::1]:1", AF_INET6, false },
        { "[::ffff:192.0.2.1]:80", "192.0.2.1:80", AF_INET6, false },
        { "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
          AF_INET6, false },
        { ":8080", "[::]:8080", AF_INET6, true },
        { "127.0.0.1:0", NULL, AF_INET, true },
        { "127.0.0.1:00080", "127.0.0.1:80", AF_INET, false },
        { "unix:/run/app.sock", NULL, AF_UNIX, false },
        { "unix:a:1", NULL, AF_UNIX, false },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__address address;
        char text[SWALE__ADDRESS_TEXT_MAX];
        assert_int_equal(swale__address_parse(&address, cases[i].text, true), 0);
        assert_int_equal(address.any.sa_family, cases[i].family);
        assert_true(address.everywhere == (cases[i].text[0] == ':'));
        swale__address_format(&address, text);
        assert_string_equal(text, cases[i].formatted ? cases[i].formatted : cases[i].text);
        assert_int_equal(swale__address_parse(&address, cases[i].text, false),
                         cases[i].listening_only ? SWALE_ERR_ADDRESS : 0);
    }
}

static void bad_addresses_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "80",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:1 ",
        "1.2.3.4:0x50",
        "1.2.3.4:000080",
        "1.2.3:80",
        "1.2.3.256:80",
        "::1:80",
        "[::1:80",
        "::1]:80",
        "[::1]80",
        "[]:80",
        "[::1%lo]:80",
        "[1.2.3.4]:1",
        "*:80",
        "example.com:1",
        "localhost.:80",
        "unix:",
        "UNIX:/a",
        " :80",
        "[[::1]]:80",
        "1.2.3.4:99999999999999999999",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct swale__address address;
        assert_int_equal(swale__address_parse(&address, cases[i], true), SWALE_ERR_ADDRESS);
    }
    struct swale__address address;
    assert_int_equal(swale__address_parse(&address, NULL, true), SWALE_ERR_ADDRESS);
}

static void a_path_may_be_as_long_as_the_kernel_takes(void **state)
{
    (void)state;
    struct swale__address address;
    char text[5 + sizeof address.path.sun_path + 1] = "unix:";
    memset(text + 5, 'x', sizeof address.path.sun_path);
    assert_int_equal(swale__address_parse(&address, text, true), SWALE_ERR_ADDRESS);
    text[sizeof text - 2] = '\0';
    assert_int_equal(swale__address_parse(&address, text, true), 0);
    char formatted[SWALE__ADDRESS_TEXT_MAX];
    swale__address_format(&address, formatted);
    assert_string_equal(formatted, text);
}

static void bare_ips_are_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *formatted; /* NULL: refused */
    } cases[] = {
        { "192.0.2.1", "192.0.2.1" },
        { "2001:DB8::1", "2001:db8::1" },
        { "::ffff:192.0.2.1", "192.0.2.1" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
        { "", NULL },
        { "192.0.2", NULL },
        { "192.0.2.1:80", NULL },
        { "[::1]", NULL },
        { "::1%lo", NULL },
        { "localhost", NULL },
        { "0x7f.0.0.1", NULL },
        { "0000:0000:0000:0000:0000:0000:0000:0000:0000:1", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct in6_addr ip;
        char text[INET6_ADDRSTRLEN];
        assert_true(swale__address_parse_ip(swale_text(cases[i].text), &ip) == (cases[i].formatted != NULL));
        if (!cases[i].formatted)
            continue;
        swale__address_format_ip(&ip, text);
        assert_string_equal(text, cases[i].formatted);
    }
    struct in6_addr ip;
    assert_false(swale__address_parse_ip(swale_span("::1\0002", 5), &ip));
}

static void every_byte_of_an_ipv4_address_is_written_as_inet_ntop_does(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        struct in6_addr ip = { .s6_addr = { [10] = 0xff, [11] = 0xff } };
        ip.s6_addr[12 + byte % 4] = (unsigned char)byte;
        char text[INET6_ADDRSTRLEN], wanted[INET6_ADDRSTRLEN];
        swale__address_format_ip(&ip, text);
        assert_non_null(inet_ntop(AF_INET, &ip.s6_addr[12], wanted, sizeof wanted));
        assert_string_equal(text, wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_addresses_come_back_as_text),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(a_path_may_be_as_long_as_the_kernel_takes),
        cmocka_unit_test(bare_ips_are_read_back),
        cmocka_unit_test(every_byte_of_an_ipv4_address_is_written_as_inet_ntop_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
