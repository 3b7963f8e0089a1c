/* jar.c - the cookies of one client (RFC 6265 sections 5.1 to 5.4; prefixes and Secure as RFC 6265bis tightens them).
 *
 *     Set-Cookie --cookie.c--> a draft --judged by the URL--> a cookie: one block, in one of the jar's slots
 */
#include "client/jar.h"

#include "base/memory.h"
#include "client/cookie.h"
#include "proto/authority.h"
#include "proto/writer.h"

#include <errno.h>

struct cookie {
    struct swale_span name, value, host, path; /* in `text` */
    bool unix_socket;                          /* the host is a path */
    bool secure;
    int64_t expires;       /* seconds since 1970 */
    uint64_t created, set; /* in the order of the jar's count */
    size_t size;           /* of the block */
    char text[];
};

struct swale__jar {
    const struct swale_allocator *allocator;
    uint64_t clock; /* counts what has been set */
    unsigned count;
    struct cookie *cookies[SWALE__JAR_COOKIES_MAX];
};

int swale__jar_new(struct swale__jar **jar, const struct swale_allocator *allocator)
{
    *jar = swale__alloc_zeroed(allocator, sizeof **jar);
    if (!*jar)
        return -ENOMEM;
    (*jar)->allocator = allocator;
    return 0;
}

static void remove_at(struct swale__jar *jar, unsigned index)
{
    swale__free(jar->allocator, jar->cookies[index], jar->cookies[index]->size);
    jar->cookies[index] = jar->cookies[--jar->count];
}

void swale__jar_free(struct swale__jar *jar)
{
    if (!jar)
        return;
    while (jar->count > 0)
        remove_at(jar, jar->count - 1);
    swale__free(jar->allocator, jar, sizeof *jar);
}

static void remove_expired(struct swale__jar *jar, int64_t now)
{
    for (unsigned i = jar->count; i-- > 0;)
        if (jar->cookies[i]->expires <= now)
            remove_at(jar, i);
}

static bool of_host(const struct cookie *cookie, const struct swale_url *url)
{
    return cookie->unix_socket == url->unix_socket && swale__host_equal(cookie->host, url->host);
}

/* ---- Setting (section 5.3) -------------------------------------------------------------------------- */

static struct swale_span put(char **end, struct swale_span text)
{
    struct swale_span placed = swale_span(*end, text.size);
    if (text.size > 0)
        memcpy(*end, text.data, text.size);
    *end += text.size;
    return placed;
}

static struct cookie *make(struct swale__jar *jar, const struct swale__cookie *from, const struct swale_url *url)
{
    size_t size = sizeof(struct cookie) + from->name.size + from->value.size + url->host.size + from->path.size;
    struct cookie *cookie = swale__alloc_zeroed(jar->allocator, size);
    if (!cookie)
        return NULL;
    char *end = cookie->text;
    cookie->name = put(&end, from->name);
    cookie->value = put(&end, from->value);
    cookie->host = put(&end, url->host);
    cookie->path = put(&end, from->path);
    cookie->unix_socket = url->unix_socket;
    cookie->secure = from->secure;
    cookie->expires = from->expires;
    cookie->size = size;
    return cookie;
}

/* The slot of the cookie with this name, host and path; jar->count for none. */
static unsigned find(const struct swale__jar *jar, const struct swale__cookie *like, const struct swale_url *url)
{
    unsigned i = 0;
    while (i < jar->count && !(swale_span_equal(jar->cookies[i]->name, like->name) && of_host(jar->cookies[i], url) &&
                               swale_span_equal(jar->cookies[i]->path, like->path)))
        i++;
    return i;
}

/* Would it stand in the way of a Secure cookie of this name, for it lies at or below its path, while it comes without
 * TLS ("leave secure cookies alone", RFC 6265bis section 5.7)? */
static bool overlays_secure(const struct swale__jar *jar, const struct swale__cookie *new,
                            const struct swale_url *url)
{
    for (unsigned i = 0; i < jar->count && !url->secure; i++) {
        const struct cookie *old = jar->cookies[i];
        if (old->secure && swale_span_equal(old->name, new->name) && of_host(old, url) &&
            swale__cookie_path_matches(new->path, old->path))
            return true;
    }
    return false;
}

static unsigned oldest_of(const struct swale__jar *jar)
{
    unsigned oldest = 0;
    for (unsigned i = 1; i < jar->count; i++)
        if (jar->cookies[i]->set < jar->cookies[oldest]->set)
            oldest = i;
    return oldest;
}

static void set(struct swale__jar *jar, const struct swale__cookie *from, const struct swale_url *url, int64_t now)
{
    if (overlays_secure(jar, from, url))
        return;
    unsigned slot = find(jar, from, url);
    bool replaces = slot < jar->count;
    uint64_t number = ++jar->clock;
    struct cookie *cookie = from->expires > now ? make(jar, from, url) : NULL;
    if (cookie) {
        cookie->set = number;
        cookie->created = replaces ? jar->cookies[slot]->created : number;
    }
    /* The one before it goes, also when the new one has expired or found no memory: its value is not true any more.
     */
    if (replaces)
        remove_at(jar, slot);
    if (!cookie)
        return;
    if (jar->count == SWALE__JAR_COOKIES_MAX)
        remove_at(jar, oldest_of(jar));
    jar->cookies[jar->count++] = cookie;
}

void swale__jar_take(struct swale__jar *jar, const struct swale_url *url, const struct swale_field *fields,
                     uint32_t count, int64_t now)
{
    uint32_t index = 0;
    const struct swale_field *field;
    remove_expired(jar, now);
    while ((field = swale_field_find(fields, count, "set-cookie", &index))) {
        struct swale__cookie cookie;
        if (swale__cookie_parse(&cookie, field->value, url, now))
            set(jar, &cookie, url, now);
    }
}

/* ---- Sending (section 5.4) -------------------------------------------------------------------------- */

static bool is_for(const struct cookie *cookie, const struct swale_url *url)
{
    return of_host(cookie, url) && (url->secure || !cookie->secure) &&
           swale__cookie_path_matches(swale__cookie_request_path(url), cookie->path);
}

/* Longer paths first; of those as long, the one that was there first. */
static bool goes_before(const struct cookie *a, const struct cookie *b)
{
    return a->path.size != b->path.size ? a->path.size > b->path.size : a->created < b->created;
}

static unsigned choose(const struct swale__jar *jar, const struct swale_url *url,
                       const struct cookie *chosen[SWALE__JAR_COOKIES_MAX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < jar->count; i++) {
        if (!is_for(jar->cookies[i], url))
            continue;
        unsigned place = count++;
        for (; place > 0 && goes_before(jar->cookies[i], chosen[place - 1]); place--)
            chosen[place] = chosen[place - 1];
        chosen[place] = jar->cookies[i];
    }
    return count;
}

size_t swale__jar_bound(const struct swale__jar *jar)
{
    size_t bound = 0;
    for (unsigned i = 0; i < jar->count; i++)
        bound += jar->cookies[i]->name.size + jar->cookies[i]->value.size + 3; /* "; " and "=" */
    return bound;
}

ptrdiff_t swale__jar_write(struct swale__jar *jar, const struct swale_url *url, int64_t now, char *out,
                           size_t capacity)
{
    const struct cookie *chosen[SWALE__JAR_COOKIES_MAX];
    struct swale__writer writer = { .out = out, .capacity = capacity };
    remove_expired(jar, now);
    unsigned count = choose(jar, url, chosen);
    for (unsigned i = 0; i < count; i++) {
        swale__put_text(&writer, i > 0 ? "; " : "");
        swale__put(&writer, chosen[i]->name);
        swale__put_text(&writer, "=");
        swale__put(&writer, chosen[i]->value);
    }
    return swale__writer_end(&writer);
}
