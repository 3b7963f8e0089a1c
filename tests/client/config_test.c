/* A client's options: what is wrong is said in words that name it, and what is right is copied. */
#include "test.h"

#include "client/config.h"
#include "guard.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct swale_client_handler handler;

static int check(const struct swale_client_options *options, char *message)
{
    struct test_memory memory = { 0 };
    struct swale_allocator allocator = test_allocator(&memory);
    struct swale__client_config *config = NULL;
    memset(message, '?', SWALE_CLIENT_MESSAGE_MAX);
    int error = swale__client_config_new(&config, &allocator, options, message);
    assert_int_equal(error == 0, config != NULL);
    swale__client_config_free(config);
    assert_int_equal(memory.blocks, 0);
    return error;
}

static struct swale_client_options with_url(const char *url)
{
    return (struct swale_client_options){ .url = url, .handler = &handler, .proxy = "" };
}

static void assert_wrong(struct swale_client_options options, int error, const char *message)
{
    char text[SWALE_CLIENT_MESSAGE_MAX];
    assert_int_equal(check(&options, text), error);
    assert_string_equal(text, message);
    assert_int_equal(swale__client_config_new(&(struct swale__client_config *){ NULL }, NULL, &options, NULL), error);
}

static void assert_right(struct swale_client_options options)
{
    char text[SWALE_CLIENT_MESSAGE_MAX];
    int error = check(&options, text);
    assert_string_equal(text, "");
    assert_int_equal(error, 0);
}

/* ---- What is wrong ---------------------------------------------------------------------------------- */

static void test_urls(void **state)
{
    static const struct {
        const char *url, *message;
    } cases[] = {
        { NULL, "url: there is none" },
        { "", "url: it has to begin with ws://, wss://, ws+unix:, http:// or https:// (at byte 0)" },
        { "ftp://x/", "url: it has to begin with ws://, wss://, ws+unix:, http:// or https:// (at byte 0)" },
        { "ws://example.com/feed#x", "url: a fragment is not allowed in a WebSocket URL (at byte 21)" },
        { "ws://example.com/a b", "url: a space has to be written as %20 (at byte 18)" },
        { "ws://example.com/\n", "url: a control byte (at byte 17)" },
        { "ws://ex\xc3\xa4mple.com/", "url: a byte beyond ASCII has to be percent-encoded (at byte 7)" },
        { "ws://example.com/\x7f", "url: a control byte (at byte 17)" },
        { "ws://[::1/", "url: not a host name, address or port (at byte 5)" },
        { "ws://u%7f@example.com/", "url: the user and password are not well-formed" },
        { "ws://example.com:0/", "url: the port is not a number between 1 and 65535 (at byte 17)" },
        { "ws://example.com:99999/", "url: the port is not a number between 1 and 65535 (at byte 17)" },
        { "ws://u%00:p@example.com/", "url: the user and password are not well-formed" },
        { "ws://u%zz@example.com/", "url: the user and password are not well-formed" },
        { "ws://u%3Av:p@example.com/", "url: the user and password are not well-formed" },
        { "ws://u%3av@example.com/", "url: the user and password are not well-formed" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_wrong(with_url(cases[i].url), SWALE_ERR_URL, cases[i].message);
}

/* Faults at the end of the text do not read behind it: each prefix of a URL, at a guard page. */
static void test_every_prefix(void **state)
{
    static const char url[] = "wss://user:pass@[2001:db8::1]:8443/path?query";
    (void)state;
    for (size_t size = 0; size < sizeof url; size++) {
        char text[SWALE_CLIENT_MESSAGE_MAX], prefix[sizeof url];
        snprintf(prefix, sizeof prefix, "%.*s", (int)size, url);
        char *copy = guard_copy(prefix, size + 1);
        struct swale_client_options options = with_url(copy);
        int error = check(&options, text);
        assert_true(error == 0 || (error == SWALE_ERR_URL && strncmp(text, "url: ", 5) == 0));
        guard_free(copy, size + 1);
    }
}

static struct swale_client_options with_fields(const struct swale_field *fields, size_t count)
{
    struct swale_client_options options = with_url("ws://example.com/");
    options.fields = fields;
    options.field_count = count;
    return options;
}

#define SPAN(text)                                                                                                   \
    {                                                                                                                \
        .data = (text), .size = sizeof(text) - 1                                                                     \
    }

static void test_fields(void **state)
{
    static const struct {
        struct swale_field field;
        const char *message;
    } cases[] = {
        { { SPAN("Sec-WebSocket-Key"), SPAN("x") },
          "fields[0]: Sec-WebSocket-Key is written by the handshake itself" },
        { { SPAN("upgrade"), SPAN("x") }, "fields[0]: upgrade is written by the handshake itself" },
        { { SPAN("Transfer-Encoding"), SPAN("x") },
          "fields[0]: Transfer-Encoding is written by the handshake itself" },
        { { SPAN("a b"), SPAN("x") }, "fields[0]: not a well-formed field" },
        { { SPAN(""), SPAN("x") }, "fields[0]: not a well-formed field" },
        { { SPAN("X"), SPAN("a\r\nb: c") }, "fields[0]: not a well-formed field" },
        { { SPAN("Host"), SPAN("a b") }, "fields[0]: Host is not a host with or without a port" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_wrong(with_fields(&cases[i].field, 1), SWALE_ERR_INVALID, cases[i].message);
    assert_wrong(with_fields(NULL, 1), SWALE_ERR_INVALID, "fields: field_count is not their number");
    assert_wrong(with_fields(&cases[0].field, SIZE_MAX), SWALE_ERR_INVALID,
                 "fields: field_count is not their number");
    struct swale_field twice[] = { { SPAN("Host"), SPAN("a") }, { SPAN("HOST"), SPAN("b:80") } };
    assert_wrong(with_fields(twice, 2), SWALE_ERR_INVALID, "fields: Host is there twice");
    assert_right(with_fields(twice + 1, 1));
    struct swale_field origin[] = { { SPAN("Origin"), SPAN("https://a.example") } };
    struct swale_client_options options = with_fields(origin, 1);
    assert_right(options);
    options.origin = "https://b.example";
    assert_wrong(options, SWALE_ERR_INVALID, "fields: Origin is there twice, or beside the option origin");
    struct swale_field login[] = { { SPAN("Authorization"), SPAN("Bearer x") } };
    options = with_fields(login, 1);
    assert_right(options);
    options.url = "ws://user@example.com";
    assert_wrong(options, SWALE_ERR_INVALID,
                 "fields: Authorization is there twice, or beside credentials or those in the URL");
}

static void test_subprotocols(void **state)
{
    const char *names[] = { "chat", "super chat", "chat", NULL };
    struct swale_client_options options = with_url("ws://example.com/");
    (void)state;
    options.subprotocols = names;
    options.subprotocol_count = 2;
    assert_wrong(options, SWALE_ERR_INVALID, "subprotocols[1]: not a token");
    names[1] = "superchat";
    assert_right(options);
    options.require_subprotocol = true;
    assert_right(options);
    options.subprotocol_count = 3;
    assert_wrong(options, SWALE_ERR_INVALID, "subprotocols[2]: chat is there twice");
    names[2] = "third";
    options.subprotocol_count = 4;
    assert_wrong(options, SWALE_ERR_INVALID, "subprotocols[3]: not a token");
    options.subprotocol_count = SIZE_MAX;
    assert_wrong(options, SWALE_ERR_INVALID, "subprotocols: subprotocol_count is not their number");
    options.subprotocols = NULL;
    options.subprotocol_count = 1;
    assert_wrong(options, SWALE_ERR_INVALID, "subprotocols: subprotocol_count is not their number");
    options.subprotocol_count = 0;
    options.require_subprotocol = true;
    assert_wrong(options, SWALE_ERR_INVALID, "require_subprotocol: none is offered");
}

#define WITH(field, value, error, message)                                                                           \
    do {                                                                                                             \
        struct swale_client_options options = with_url("wss://example.com/");                                        \
        options.field = (value);                                                                                     \
        assert_wrong(options, (error), (message));                                                                   \
    } while (0)

static void test_the_rest(void **state)
{
    (void)state;
    struct swale_client_options by_address = with_url("wss://example.com/");
    by_address.tls_server_name = "::1";
    assert_right(by_address);
    assert_right(with_url("ws://:password@example.com/"));
    char text[SWALE_CLIENT_MESSAGE_MAX];
    assert_int_equal(check(NULL, text), SWALE_ERR_INVALID);
    assert_string_equal(text, "options: there are none");
    WITH(handler, NULL, SWALE_ERR_INVALID, "handler: there is none");
    WITH(origin, "", SWALE_ERR_INVALID, "origin: empty, or a byte in it that may not be there");
    WITH(origin, "a\rb", SWALE_ERR_INVALID, "origin: empty, or a byte in it that may not be there");
    WITH(credentials, "nobody", SWALE_ERR_INVALID, "credentials: not \"user:password\"");
    WITH(credentials, "a:b\n", SWALE_ERR_INVALID, "credentials: not \"user:password\"");
    WITH(tls_server_name, "a b", SWALE_ERR_INVALID, "tls_server_name: not a host name or address");
    WITH(tls_server_name, "", SWALE_ERR_INVALID, "tls_server_name: not a host name or address");
    WITH(connect_to, "example.com", SWALE_ERR_ADDRESS, "connect_to: a port is missing");
    WITH(connect_to, "example.com:0", SWALE_ERR_ADDRESS, "connect_to: a port is missing");
    WITH(connect_to, "a b:1", SWALE_ERR_ADDRESS, "connect_to: not \"host:port\" (at byte 1)");
    WITH(local_address, "localhost", SWALE_ERR_ADDRESS, "local_address: not a numeric address without a port");
    WITH(local_address, "127.0.0.1:80", SWALE_ERR_ADDRESS, "local_address: not a numeric address without a port");
    WITH(proxy, "gopher://x", SWALE_ERR_PROXY_URL, "proxy: not the URL of an http, https or socks5 proxy");
    WITH(max_head, UINT32_MAX, SWALE_ERR_INVALID, "max_head: more than 1 GiB");
    WITH(max_fields, UINT32_MAX, SWALE_ERR_INVALID, "max_fields: more than a million");
    WITH(max_refusal, UINT32_MAX, SWALE_ERR_INVALID, "max_refusal: more than 1 GiB");
    WITH(reconnect.final_code_count, SIZE_MAX, SWALE_ERR_INVALID,
         "reconnect.final_codes: final_code_count is not their number");
    WITH(reconnect.final_code_count, 1, SWALE_ERR_INVALID,
         "reconnect.final_codes: final_code_count is not their number");
}

static void test_a_socket_has_one_way(void **state)
{
    struct swale_client_options options = with_url("ws+unix:/run/app.sock:/x");
    (void)state;
    assert_right(options);
    options.proxy = "http://proxy";
    assert_wrong(options, SWALE_ERR_INVALID, "proxy: a socket in the file system is reached in one way only");
    options.local_address = "::1";
    assert_wrong(options, SWALE_ERR_INVALID, "local_address: a socket in the file system is reached in one way only");
    options.connect_to = "a:1";
    assert_wrong(options, SWALE_ERR_INVALID, "connect_to: a socket in the file system is reached in one way only");
    char url[200] = "ws+unix:/";
    memset(url + strlen(url), 'x', 150);
    assert_wrong(with_url(url), SWALE_ERR_URL, "url: the path of the socket is too long");
}

/* ---- What is right ---------------------------------------------------------------------------------- */

/* Everything that a caller may take away again. */
struct given {
    char url[64], origin[32], credentials[32], tls_name[32], connect_to[32], local[32], dns[32], proxy[32];
    char name[16], value[16], chat[16];
    struct swale_field field;
    const char *names[1];
    uint16_t codes[2];
    struct swale_limits limits;
    struct swale_client_options options;
};

static void fill(struct given *given)
{
    *given = (struct given){
        .url = "wss://[2001:db8::1]:8443/a?b",
        .origin = "https://a.example",
        .credentials = "me:secret",
        .tls_name = "b.example",
        .connect_to = "[::1]:99",
        .local = "::1",
        .dns = "192.0.2.1",
        .proxy = "socks5://p:7",
        .name = "X-Field",
        .value = "a value",
        .chat = "chat",
        .codes = { 4001, 4002 },
        .limits = { .max_message = 77 },
    };
    given->names[0] = given->chat;
    given->field = (struct swale_field){ .name = swale_text(given->name), .value = swale_text(given->value) };
    given->options = (struct swale_client_options){
        .url = given->url,
        .handler = &handler,
        .user = given,
        .fields = &given->field,
        .field_count = 1,
        .origin = given->origin,
        .credentials = given->credentials,
        .subprotocols = given->names,
        .subprotocol_count = 1,
        .limits = &given->limits,
        .tls_server_name = given->tls_name,
        .connect_to = given->connect_to,
        .local_address = given->local,
        .dns_servers = given->dns,
        .proxy = given->proxy,
        .reconnect = { .final_codes = given->codes, .final_code_count = 2, .first_ms = 9 },
        .max_pending = 5,
    };
}

static void assert_span(struct swale_span span, const char *text)
{
    assert_true(swale_span_equal(span, swale_text(text)));
}

static void test_everything_is_copied(void **state)
{
    struct swale__client_config *config;
    struct given *given = malloc(sizeof *given);
    (void)state;
    assert_non_null(given);
    fill(given);
    assert_int_equal(swale__client_config_new(&config, NULL, &given->options, NULL), 0);
    memset(given, 'z', sizeof *given);
    free(given);
    const struct swale_client_options *options = &config->options;
    assert_string_equal(options->url, "wss://[2001:db8::1]:8443/a?b");
    assert_span(config->url.host, "2001:db8::1");
    assert_span(config->url.target, "/a?b");
    assert_true(config->url.host.data > (char *)config &&
                config->url.host.data < (char *)config + config->block_size);
    assert_span(options->fields[0].name, "X-Field");
    assert_span(options->fields[0].value, "a value");
    assert_string_equal(options->origin, "https://a.example");
    assert_string_equal(options->credentials, "me:secret");
    assert_string_equal(options->subprotocols[0], "chat");
    assert_string_equal(options->tls_server_name, "b.example");
    assert_string_equal(options->dns_servers, "192.0.2.1");
    assert_span(config->connect_host, "::1");
    assert_int_equal(config->connect_port, 99);
    assert_int_equal(config->local.any.sa_family, AF_INET6);
    assert_int_equal(config->proxy.kind, SWALE__PROXY_SOCKS5);
    assert_span(config->proxy.host, "p");
    assert_int_equal(options->reconnect.final_codes[1], 4002);
    assert_int_equal(config->limits.max_message, 77);
    assert_ptr_equal(options->limits, &config->limits);
    swale__client_config_free(config);
}

static void test_defaults(void **state)
{
    struct swale_client_options options = with_url("ws://example.com");
    struct swale__client_config *config;
    (void)state;
    assert_int_equal(swale__client_config_new(&config, NULL, &options, NULL), 0);
    const struct swale_client_options *filled = &config->options;
    assert_int_equal(filled->max_head, 16384);
    assert_int_equal(filled->max_fields, 100);
    assert_int_equal(filled->max_refusal, 65536);
    assert_int_equal(filled->max_pending_messages, 65536);
    assert_int_equal(filled->max_redirects, 0);
    assert_int_equal(filled->reconnect.first_ms, 500);
    assert_int_equal(filled->reconnect.max_ms, 30000);
    assert_int_equal(filled->reconnect.healthy_ms, 60000);
    assert_int_equal(filled->reconnect.max_retry_after_ms, 600000);
    assert_true(filled->reconnect.max_failures == SWALE_OFF && filled->reconnect.max_gap_ms == SWALE_OFF);
    assert_int_equal(config->limits.handshake_ms, 10000);
    assert_int_equal(config->local.size, 0);
    assert_int_equal(config->connect_host.size, 0);
    assert_int_equal(config->proxy.kind, SWALE__PROXY_NONE);
    swale__client_config_free(config);
}

static enum swale__proxy_kind proxy_for(const char *url, const char *proxy)
{
    struct swale_client_options options = with_url(url);
    struct swale__client_config *config;
    options.proxy = proxy;
    assert_int_equal(swale__client_config_new(&config, NULL, &options, NULL), 0);
    enum swale__proxy_kind kind = config->proxy.kind;
    swale__client_config_free(config);
    return kind;
}

static void test_the_environment_is_asked_last(void **state)
{
    char text[SWALE_CLIENT_MESSAGE_MAX];
    (void)state;
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("wss_proxy", "socks5://environment", 1);
    assert_int_equal(proxy_for("wss://example.com/", NULL), SWALE__PROXY_SOCKS5);
    assert_int_equal(proxy_for("wss://example.com/", ""), SWALE__PROXY_NONE);
    assert_int_equal(proxy_for("wss://example.com/", "http://option"), SWALE__PROXY_HTTP);
    assert_int_equal(proxy_for("ws+unix:/run/x", NULL), SWALE__PROXY_NONE);
    setenv("no_proxy", "example.com", 1);
    assert_int_equal(proxy_for("wss://example.com/", NULL), SWALE__PROXY_NONE);
    setenv("wss_proxy", "nonsense://", 1);
    unsetenv("no_proxy");
    struct swale_client_options options = with_url("wss://example.com/");
    options.proxy = NULL;
    assert_int_equal(check(&options, text), SWALE_ERR_PROXY_URL);
    assert_string_equal(text, "proxy (of the environment): not the URL of an http, https or socks5 proxy");
    unsetenv("wss_proxy");
}

static void test_out_of_memory(void **state)
{
    struct given given;
    (void)state;
    fill(&given);
    given.options.url = "wss://me:secret@example.com";
    given.options.credentials = NULL;
    for (uint64_t n = 1;; n++) {
        struct test_memory memory = { .fail_at = n };
        struct swale_allocator allocator = test_allocator(&memory);
        struct swale__client_config *config = NULL;
        char text[SWALE_CLIENT_MESSAGE_MAX];
        int error = swale__client_config_new(&config, &allocator, &given.options, text);
        swale__client_config_free(config);
        assert_int_equal(memory.blocks, 0);
        if (error == 0) {
            assert_true(n > 1);
            return;
        }
        assert_int_equal(error, -ENOMEM);
        assert_string_equal(text, "out of memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_subprotocols),
        cmocka_unit_test(test_the_rest),
        cmocka_unit_test(test_a_socket_has_one_way),
        cmocka_unit_test(test_everything_is_copied),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_environment_is_asked_last),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("client.config", tests, NULL, NULL);
}
