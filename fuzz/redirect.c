/* redirect.c - references to URLs, resolved as RFC 3986 section 5.2 writes it down.
 *
 * Input: one byte that chooses a base, then the reference. The model takes it apart with the expression of appendix B
 * and goes through the transformation and remove_dot_segments to the letter. */
#include "client/redirect.h"

#include "fuzz.h"

#include <strings.h>

static const char *const bases[] = {
    "ws://a/b/c/d;p?q", "wss://example.com:8443/x/../y/./z", "ws://[::1]:81/?a/b", "ws://h", "wss://u:p@h//a//b/",
    "ws://h/..",
};
enum { BASES = sizeof bases / sizeof bases[0], ROOM = 8192 };

/* The five components; `has_*` tells undefined from empty. */
struct reference {
    char scheme[ROOM], authority[ROOM], path[ROOM], query[ROOM];
    bool has_scheme, has_authority, has_query;
};

static void take_until(const char **text, const char *ends, char *out)
{
    size_t size = strcspn(*text, ends);
    memcpy(out, *text, size);
    out[size] = '\0';
    *text += size;
}

/* ^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))? */
static void take_apart(struct reference *reference, const char *text)
{
    size_t scheme = strcspn(text, ":/?#");
    memset(reference, 0, sizeof *reference);
    if (scheme > 0 && text[scheme] == ':') {
        reference->has_scheme = true;
        take_until(&text, ":", reference->scheme);
        text++;
    }
    if (strncmp(text, "//", 2) == 0) {
        reference->has_authority = true;
        text += 2;
        take_until(&text, "/?#", reference->authority);
    }
    take_until(&text, "?#", reference->path);
    if (*text == '?') {
        reference->has_query = true;
        text++;
        take_until(&text, "#", reference->query);
    }
}

static void drop(char *text, size_t size)
{
    memmove(text, text + size, strlen(text + size) + 1);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Section 5.2.4, A to E. */
static void remove_dot_segments(char *input)
{
    static char output[ROOM];
    output[0] = '\0';
    while (*input) {
        if (begins(input, "../")) {
            drop(input, 3);
        } else if (begins(input, "./") || begins(input, "/./")) {
            drop(input, 2);
        } else if (strcmp(input, "/.") == 0) {
            strcpy(input, "/");
        } else if (begins(input, "/../") || strcmp(input, "/..") == 0) {
            bool end = !input[3];
            drop(input, end ? 2 : 3);
            input[0] = '/';
            char *last = strrchr(output, '/');
            *(last ? last : output) = '\0';
        } else if (strcmp(input, ".") == 0 || strcmp(input, "..") == 0) {
            *input = '\0';
        } else {
            size_t size = 1 + strcspn(input + 1, "/");
            if (*input == '\0')
                break;
            strncat(output, input, size);
            drop(input, size);
        }
    }
    strcpy(input, output);
}

/* Section 5.2.3; a base of ours always has an authority. */
static void merge(const char *base_path, char *path)
{
    char merged[ROOM];
    const char *slash = strrchr(base_path, '/');
    int directory = slash ? (int)(slash - base_path) + 1 : 0;
    snprintf(merged, sizeof merged, "%.*s%s", directory ? directory : 1, directory ? base_path : "/", path);
    strcpy(path, merged);
}

/* Section 5.2.2. The base's path is "/" when it is empty, as a client asks for it. */
static void transform(struct reference *reference, const struct reference *base)
{
    if (!reference->has_scheme && !reference->has_authority) {
        if (!*reference->path) {
            strcpy(reference->path, *base->path ? base->path : base->has_query ? "" : "/");
            if (!reference->has_query && base->has_query) {
                reference->has_query = true;
                strcpy(reference->query, base->query);
            }
        } else {
            if (reference->path[0] != '/')
                merge(base->path, reference->path);
            remove_dot_segments(reference->path);
        }
        strcpy(reference->authority, base->authority);
    } else {
        remove_dot_segments(reference->path);
    }
    if (!reference->has_scheme)
        strcpy(reference->scheme, base->scheme);
}

/* ---- Both -------------------------------------------------------------------------------------------------- */

static bool one_of(const char *scheme, const char *a, const char *b)
{
    return strcasecmp(scheme, a) == 0 || strcasecmp(scheme, b) == 0;
}

static struct swale_span without_userinfo(const char *authority)
{
    const char *sign = strrchr(authority, '@');
    return swale_text(sign ? sign + 1 : authority);
}

/* A client of ours says the port in any case, and no path for none. */
static void require_same(const struct swale_url *url, const struct swale_url *base, const struct reference *expected,
                         bool own_authority)
{
    char target[2 * ROOM], whole[3 * ROOM];
    struct swale_url wanted;
    bool bare = !*expected->path && !expected->has_query;
    snprintf(target, sizeof target, "%s%s%s", bare ? "/" : expected->path, expected->has_query ? "?" : "",
             expected->query);
    require(swale_span_equal(url->target, swale_text(target)));
    require(url->secure == one_of(expected->scheme, "wss", "https") && url->userinfo.size == 0);
    if (!own_authority) {
        require(swale_span_equal(url->host, base->host) && url->port == base->port);
        return;
    }
    struct swale_span authority = without_userinfo(expected->authority);
    int size =
        snprintf(whole, sizeof whole, "%s://%.*s/", url->secure ? "wss" : "ws", (int)authority.size, authority.data);
    require(swale_url_parse(swale_span(whole, (size_t)size), &wanted, NULL) == 0);
    require(swale_span_equal(url->host, wanted.host) && url->port == wanted.port && url->ipv6 == wanted.ipv6);
}

static void resolve(const char *base_text, const char *text)
{
    static struct reference base, expected;
    struct swale__buffer out = { 0 };
    struct swale_url base_url, url;
    char *copy = fuzz_copy(text, strlen(text));
    require(swale_url_parse(swale_text(base_text), &base_url, NULL) == 0);
    take_apart(&base, base_text);
    take_apart(&expected, text);
    int error = swale__reference_resolve(&out, NULL, &base_url, swale_span(copy, strlen(text)));
    bool known =
        !expected.has_scheme || one_of(expected.scheme, "ws", "http") || one_of(expected.scheme, "wss", "https");
    require(error == (known && (!expected.has_scheme || expected.has_authority) ? 0 : SWALE_ERR_URL));
    bool own_authority = expected.has_authority;
    if (error == 0 && swale_url_parse(swale__buffer_span(&out), &url, NULL) == 0) {
        transform(&expected, &base);
        require_same(&url, &base_url, &expected, own_authority);
    } else if (error == 0 && !own_authority) {
        /* Only what is in the reference itself can make it bad. */
        require(strcspn(text, "#") > 0);
    }
    swale__buffer_free(&out, NULL);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 2048)
        return 0;
    char *text = fuzz_string(data + 1, size - 1);
    resolve(bases[data[0] % BASES], text);
    free(text);
    return 0;
}
