/* request.c - the request of an opening handshake (RFC 6455 section 4.1), out of the caller's options, the URL and
 * the jar.
 *
 * A field of the caller's stands instead of one that would be made of options: an Authorization instead of the URL's
 * credentials, an Origin instead of options.origin, a Host instead of the URL's. Cookies are joined into one field
 * (RFC 6265 section 5.4), those of the jar first. On another origin than the caller's there is nothing but the
 * handshake itself and that host's own cookies.
 */
#include "client/stages.h"

#include "base/memory.h"
#include "proto/writer.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <time.h>

/* What is on its way to becoming a request. */
struct draft {
    const struct swale__attempt *attempt;
    const struct swale_field *given; /* the caller's fields, as far as they are for this origin */
    size_t given_count;
    struct swale_field *fields; /* that go out */
    size_t count;
    struct swale__buffer host, credentials, cookie;
};

static const struct swale_field *find_given(const struct draft *draft, const char *name)
{
    return swale_field_find(draft->given, (uint32_t)draft->given_count, name, NULL);
}

static void add(struct draft *draft, const char *name, struct swale_span value)
{
    draft->fields[draft->count++] = (struct swale_field){ .name = swale_text(name), .value = value };
}

/* ---- Host ---- */

/* "example.com", "[::1]:8080". A socket of the file system has no name; servers behind one are used to this. */
static int make_host(struct draft *draft)
{
    const struct swale_url *url = &draft->attempt->url;
    const struct swale_field *given = find_given(draft, "host");
    if (given)
        return swale__buffer_put(&draft->host, draft->attempt->allocator, given->value);
    if (url->unix_socket)
        return swale__buffer_put(&draft->host, draft->attempt->allocator, swale_text("localhost"));
    int error = swale__buffer_reserve(&draft->host, draft->attempt->allocator, url->host.size + 16);
    if (error)
        return error;
    struct swale__writer writer = { .out = draft->host.data, .capacity = draft->host.room };
    swale__put_text(&writer, url->ipv6 ? "[" : "");
    swale__put(&writer, url->host);
    swale__put_text(&writer, url->ipv6 ? "]" : "");
    if (url->port != (url->secure ? 443 : 80)) {
        swale__put_text(&writer, ":");
        swale__put_number(&writer, url->port);
    }
    draft->host.size = writer.size;
    return 0;
}

/* ---- Credentials ---- */

/* "user:password" as it is to be encoded; a URL without a password means an empty one (RFC 7617 section 2). */
static int join_credentials(struct draft *draft, struct swale__buffer *plain)
{
    const struct swale__client_config *config = draft->attempt->config;
    const struct swale_allocator *allocator = draft->attempt->allocator;
    if (config->options.credentials)
        return swale__buffer_put(plain, allocator, swale_text(config->options.credentials));
    struct swale_span userinfo = config->url.userinfo;
    int error = swale__buffer_reserve(plain, allocator, userinfo.size + 1);
    if (error)
        return error;
    ptrdiff_t size = swale_percent_decode(userinfo, false, plain->data, userinfo.size);
    if (size < 0)
        return SWALE_ERR_URL;
    plain->size = (size_t)size;
    bool whole = memchr(userinfo.data, ':', userinfo.size) != NULL;
    return whole ? 0 : swale__buffer_put(plain, allocator, swale_text(":"));
}

static int encode_basic(struct draft *draft, struct swale_span plain)
{
    static const char scheme[] = "Basic ";
    struct swale__buffer *out = &draft->credentials;
    if (plain.size > INT_MAX / 2)
        return SWALE_ERR_INVALID;
    int error = swale__buffer_reserve(out, draft->attempt->allocator, sizeof scheme + (plain.size + 2) / 3 * 4 + 1);
    if (error)
        return error;
    memcpy(out->data, scheme, sizeof scheme - 1);
    unsigned char *text = (unsigned char *)out->data + sizeof scheme - 1; /* EVP_EncodeBlock terminates */
    int size = EVP_EncodeBlock(text, (const unsigned char *)plain.data, (int)plain.size);
    out->size = sizeof scheme - 1 + (size_t)size;
    return 0;
}

static int make_credentials(struct draft *draft)
{
    const struct swale__client_config *config = draft->attempt->config;
    bool there_are = config->options.credentials || config->url.userinfo.size > 0;
    if (!there_are || draft->attempt->foreign || find_given(draft, "authorization"))
        return 0;
    struct swale__buffer plain = { 0 };
    int error = join_credentials(draft, &plain);
    if (!error)
        error = encode_basic(draft, swale__buffer_span(&plain));
    swale__buffer_free(&plain, draft->attempt->allocator);
    if (!error)
        add(draft, "Authorization", swale__buffer_span(&draft->credentials));
    return error;
}

/* ---- Cookies ---- */

static int take_from_jar(struct draft *draft)
{
    struct swale__jar *jar = draft->attempt->options.jar;
    size_t bound = jar ? swale__jar_bound(jar) : 0;
    int error = bound > 0 ? swale__buffer_reserve(&draft->cookie, draft->attempt->allocator, bound) : 0;
    if (bound == 0 || error)
        return error;
    ptrdiff_t size =
        swale__jar_write(jar, &draft->attempt->url, (int64_t)time(NULL), draft->cookie.data, draft->cookie.room);
    draft->cookie.size = size > 0 ? (size_t)size : 0;
    return 0;
}

static int make_cookie(struct draft *draft)
{
    const struct swale_allocator *allocator = draft->attempt->allocator;
    int error = take_from_jar(draft);
    uint32_t index = 0;
    const struct swale_field *field;
    while (!error && (field = swale_field_find(draft->given, (uint32_t)draft->given_count, "cookie", &index))) {
        if (draft->cookie.size > 0)
            error = swale__buffer_put(&draft->cookie, allocator, swale_text("; "));
        if (!error)
            error = swale__buffer_put(&draft->cookie, allocator, field->value);
    }
    if (!error && draft->cookie.size > 0)
        add(draft, "Cookie", swale__buffer_span(&draft->cookie));
    return error;
}

/* ---- All of it ---- */

static int collect(struct draft *draft)
{
    const struct swale__attempt *attempt = draft->attempt;
    const char *origin = attempt->config->options.origin;
    int error = make_host(draft);
    if (!error && origin && !attempt->foreign && !find_given(draft, "origin"))
        add(draft, "Origin", swale_text(origin));
    if (!error)
        error = make_credentials(draft);
    if (!error)
        error = make_cookie(draft);
    for (size_t i = 0; i < draft->given_count; i++)
        if (!swale_name_equal(draft->given[i].name, "host") && !swale_name_equal(draft->given[i].name, "cookie"))
            draft->fields[draft->count++] = draft->given[i];
    return error;
}

struct swale_upgrade_request swale__request_offer(const struct swale__attempt *attempt)
{
    const struct swale_client_options *options = &attempt->config->options;
    return (struct swale_upgrade_request){
        .target = attempt->url.target,
        .subprotocols = options->subprotocols,
        .subprotocol_count = options->subprotocol_count,
        .deflate = options->deflate,
    };
}

/* No less than the request will take. */
static size_t bound_of(const struct swale_upgrade_request *request)
{
    size_t bound = 512 + request->host.size + request->target.size; /* what is the same in all, the offer included */
    for (size_t i = 0; i < request->subprotocol_count; i++)
        bound += strlen(request->subprotocols[i]) + 2;
    for (size_t i = 0; i < request->extra_count; i++)
        bound += request->extra[i].name.size + request->extra[i].value.size + 4;
    return bound;
}

static int write_request(struct swale__attempt *attempt, const struct draft *draft)
{
    struct swale_upgrade_request request = swale__request_offer(attempt);
    unsigned char random[16];
    request.host = swale__buffer_span(&draft->host);
    request.extra = draft->fields;
    request.extra_count = draft->count;
    attempt->request.size = 0;
    int error = swale__buffer_reserve(&attempt->request, attempt->allocator, bound_of(&request));
    if (error)
        return error;
    attempt->options.random(attempt->options.random_context, random, sizeof random);
    swale_upgrade_key(random, attempt->key);
    ptrdiff_t size = swale_upgrade_write(&request, attempt->key, attempt->request.data, attempt->request.room);
    if (size < 0)
        return (int)size;
    attempt->request.size = (size_t)size;
    return 0;
}

int swale__request_make(struct swale__attempt *attempt)
{
    const struct swale_allocator *allocator = attempt->allocator;
    struct draft draft = { .attempt = attempt };
    if (!attempt->foreign) {
        draft.given = attempt->config->options.fields;
        draft.given_count = attempt->config->options.field_count;
    }
    size_t room = (draft.given_count + 3) * sizeof *draft.fields; /* Origin, Authorization, Cookie */
    draft.fields = swale__alloc(allocator, room);
    if (!draft.fields)
        return -ENOMEM;
    int error = collect(&draft);
    if (!error)
        error = write_request(attempt, &draft);
    swale__free(allocator, draft.fields, room);
    swale__buffer_free(&draft.host, allocator);
    swale__buffer_free(&draft.credentials, allocator);
    swale__buffer_free(&draft.cookie, allocator);
    return error;
}
