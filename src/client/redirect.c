/* redirect.c - where a redirect leads, and whether that way is taken (RFC 9110 section 15.4). */
#include "client/redirect.h"

#include "client/stages.h"
#include "proto/authority.h"
#include "proto/head.h"
#include "proto/token.h"
#include "proto/writer.h"

#include <errno.h>

/* ---- Resolving (RFC 3986 section 5.2) --------------------------------------------------------------- */

static size_t find(struct swale_span text, size_t from, const char *any)
{
    size_t at = from;
    while (at < text.size && (text.data[at] == '\0' || !strchr(any, text.data[at])))
        at++;
    return at;
}

/* The length of "scheme:" at the front, 0 when there is none (section 3.1). */
static size_t scheme_length(struct swale_span text)
{
    size_t end = find(text, 0, ":/?#");
    return end > 0 && end < text.size && text.data[end] == ':' ? end + 1 : 0;
}

/* Takes "scheme://" from the front. False for one that leads elsewhere. */
static bool take_scheme(struct swale_span *reference, size_t length, bool *secure)
{
    static const struct {
        const char *name;
        bool secure;
    } known[] = { { "ws:", false }, { "http:", false }, { "wss:", true }, { "https:", true } };
    struct swale_span scheme = swale__slice(*reference, 0, length);
    *reference = swale__slice(*reference, length, reference->size);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (swale_name_equal(scheme, known[i].name)) {
            *secure = known[i].secure;
            return reference->size >= 2 && memcmp(reference->data, "//", 2) == 0;
        }
    }
    return false;
}

static void put_authority_of(struct swale__writer *out, const struct swale_url *url)
{
    swale__put_text(out, url->ipv6 ? "[" : "");
    swale__put(out, url->host);
    swale__put_text(out, url->ipv6 ? "]:" : ":");
    swale__put_number(out, url->port);
}

/* Takes "//authority" from the front, and puts what stands behind its userinfo. Of two signs, which readers take for
 * different ends of it, the second stays, for swale_url_parse to refuse. */
static void move_authority(struct swale__writer *out, struct swale_span *reference)
{
    size_t end = find(*reference, 2, "/?");
    struct swale_span authority = swale__slice(*reference, 2, end);
    size_t sign = find(authority, 0, "@");
    struct swale_span host = swale__slice(authority, sign < authority.size ? sign + 1 : 0, authority.size);
    bool clear = find(host, 0, "@") == host.size;
    swale__put(out, clear ? host : authority);
    *reference = swale__slice(*reference, end, reference->size);
}

static bool is_dots(struct swale_span segment, const char *dots)
{
    return swale_span_equal(segment, swale_text(dots));
}

/* Puts the segments of a path, each behind a slash, but for "." and "..", which leads back as far as `begin`
 * (section 5.2.4). If they are the `last` of the path, dots at their end leave a slash. */
static void put_segments(struct swale__writer *out, size_t begin, struct swale_span path, bool last)
{
    for (size_t i = 0; i <= path.size;) {
        size_t end = find(path, i, "/");
        struct swale_span segment = swale__slice(path, i, end);
        bool up = is_dots(segment, "..");
        if (!up && !is_dots(segment, ".")) {
            swale__put_text(out, "/");
            swale__put(out, segment);
        } else {
            while (up && out->size > begin && out->out[--out->size] != '/')
                continue;
            if (last && end == path.size)
                swale__put_text(out, "/");
        }
        i = end + 1;
    }
}

/* The directory of the base's path, without its slashes at either end: "/a/b/c" has "a/b" (section 5.2.3). */
static void put_directory(struct swale__writer *out, size_t begin, struct swale_span path)
{
    size_t end = path.size;
    while (end > 0 && path.data[end - 1] != '/')
        end--;
    if (end > 1)
        put_segments(out, begin, swale__slice(path, 1, end - 1), false);
}

/* Path and query of a reference without an authority, or behind one. */
static void put_target(struct swale__writer *out, const struct swale_url *base, struct swale_span reference,
                       bool has_authority)
{
    struct swale_span base_path = swale__slice(base->target, 0, find(base->target, 0, "?"));
    size_t query = find(reference, 0, "?");
    struct swale_span path = swale__slice(reference, 0, query);
    size_t begin = out->size;
    if (path.size > 0 && path.data[0] == '/') {
        put_segments(out, begin, swale__slice(path, 1, path.size), true);
    } else if (path.size > 0) {
        put_directory(out, begin, base_path);
        put_segments(out, begin, path, true);
    } else if (!has_authority) {
        swale__put(out, reference.size > 0 ? base_path : base->target);
    }
    swale__put(out, swale__slice(reference, query, reference.size));
}

int swale__reference_resolve(struct swale__buffer *out, const struct swale_allocator *allocator,
                             const struct swale_url *base, struct swale_span reference)
{
    bool secure = base->secure;
    reference = swale__slice(reference, 0, find(reference, 0, "#"));
    size_t scheme = scheme_length(reference);
    if (scheme > 0 && !take_scheme(&reference, scheme, &secure))
        return SWALE_ERR_URL;
    /* Scheme, brackets and port; every segment is put with its one slash. */
    int error = swale__buffer_reserve(out, allocator, base->host.size + base->target.size + reference.size + 32);
    if (error)
        return error;
    struct swale__writer writer = { .out = out->data, .capacity = out->room };
    bool has_authority = reference.size >= 2 && memcmp(reference.data, "//", 2) == 0;
    swale__put_text(&writer, secure ? "wss://" : "ws://");
    if (has_authority)
        move_authority(&writer, &reference);
    else
        put_authority_of(&writer, base);
    put_target(&writer, base, reference, has_authority);
    out->size = writer.size;
    return 0;
}

bool swale__origin_same(const struct swale_url *a, const struct swale_url *b)
{
    return a->secure == b->secure && a->unix_socket == b->unix_socket && a->port == b->port &&
           swale__host_equal(a->host, b->host);
}

/* ---- Following -------------------------------------------------------------------------------------- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Why the way to `to` is not taken, or NULL. */
static const char *objection(const struct swale__attempt *attempt, const struct swale_url *to, bool foreign)
{
    const struct swale__client_config *config = attempt->config;
    if (attempt->url.secure && !to->secure)
        return "from wss to ws";
    /* A certificate of the caller's would be shown to whoever asks, and a switch that is meant for one server would
     * let every other be forged. */
    if (foreign && to->secure && config->options.tls)
        return "to another origin, with TLS settings that were meant for the first";
    if (to->secure && !attempt->options.tls)
        return "to wss, without TLS";
    return NULL;
}

/* Resolves and judges; moves the attempt there when all is well. */
static const char *turn_to(struct swale__attempt *attempt, struct swale__buffer *location)
{
    struct swale_url to;
    if (swale_url_parse(swale__buffer_span(location), &to, NULL) != 0)
        return "to what is not a ws or http URL";
    bool foreign = attempt->foreign || !swale__origin_same(&to, &attempt->config->url);
    const char *why = objection(attempt, &to, foreign);
    if (why)
        return why;
    swale__buffer_free(&attempt->location, attempt->allocator);
    attempt->location = *location;
    *location = (struct swale__buffer){ 0 };
    attempt->url = to;
    attempt->foreign = foreign;
    attempt->redirects++;
    swale__attempt_note(attempt, "redirected to %.*s",
                        attempt->location.size < 255 ? (int)attempt->location.size : 255, attempt->location.data);
    return NULL;
}

int swale__redirect_take(struct swale__attempt *attempt, const struct swale_response *response, const char **why)
{
    uint32_t most = attempt->config->options.max_redirects;
    struct swale_span reference;
    if (most == 0 || !is_redirect(response->status))
        return 0;
    int found = swale__field_single(response->fields, response->field_count, "location", &reference);
    if (found == 0)
        return 0;
    struct swale__buffer location = { 0 };
    int error = 0;
    if (found < 0)
        *why = "to several places";
    else if (attempt->url.unix_socket)
        *why = "from a socket of the file system";
    else if (attempt->redirects >= most)
        *why = "beyond those allowed";
    else
        error = swale__reference_resolve(&location, attempt->allocator, &attempt->url, reference);
    if (error == SWALE_ERR_URL)
        *why = "to what is not a ws or http URL";
    else if (!error && !*why)
        *why = turn_to(attempt, &location);
    swale__buffer_free(&location, attempt->allocator);
    if (error == -ENOMEM)
        return error;
    return *why ? SWALE_ERR_REDIRECT : 1;
}
