/* cookie.c - what one Set-Cookie field says (RFC 6265 sections 5.1 and 5.2). */
#include "client/cookie.h"

#include "client/date.h"
#include "client/jar.h"
#include "proto/authority.h"
#include "proto/token.h"

/* What the attributes said, before it is judged. */
struct attributes {
    bool has_domain, has_path, has_max_age, has_expires, secure;
    struct swale_span domain, path;
    int64_t max_age, expires;
};

/* ---- Paths ------------------------------------------------------------------------------------------ */

static size_t find(struct swale_span text, char c)
{
    const char *found = text.size > 0 ? memchr(text.data, c, text.size) : NULL;
    return found ? (size_t)(found - text.data) : text.size;
}

struct swale_span swale__cookie_request_path(const struct swale_url *url)
{
    struct swale_span path = swale__slice(url->target, 0, find(url->target, '?'));
    return path.size > 0 ? path : swale_text("/");
}

bool swale__cookie_path_matches(struct swale_span path, struct swale_span cookie_path)
{
    size_t size = cookie_path.size;
    if (path.size < size || memcmp(path.data, cookie_path.data, size) != 0)
        return false;
    return path.size == size || cookie_path.data[size - 1] == '/' || path.data[size] == '/';
}

/* Up to the last slash, which is left out unless it is the first (section 5.1.4). */
static struct swale_span default_path(const struct swale_url *url)
{
    struct swale_span path = swale__cookie_request_path(url);
    while (path.size > 1 && path.data[path.size - 1] != '/')
        path.size--;
    path.size -= path.size > 1;
    return path;
}

/* ---- Attributes (section 5.2) ----------------------------------------------------------------------- */

/* Takes the text up to the next semicolon from the front, without white space around it. */
static struct swale_span take_part(struct swale_span *rest)
{
    size_t end = find(*rest, ';');
    struct swale_span part = swale__slice(*rest, 0, end);
    *rest = swale__slice(*rest, end < rest->size ? end + 1 : end, rest->size);
    return swale__trim(part);
}

/* "name=value"; without a sign it is all name. */
static void split(struct swale_span part, struct swale_span *name, struct swale_span *value)
{
    size_t sign = find(part, '=');
    *name = swale__trim(swale__slice(part, 0, sign));
    *value = swale__trim(swale__slice(part, sign < part.size ? sign + 1 : sign, part.size));
}

/* Section 5.2.2: seconds, perhaps negative. More than a century counts as one. */
static bool parse_max_age(struct swale_span text, int64_t *seconds)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct swale_span digits = swale__slice(text, negative, text.size);
    if (!swale__all(digits, SWALE__DIGIT))
        return false;
    *seconds = 0;
    for (size_t i = 0; i < digits.size && *seconds < INT32_MAX; i++)
        *seconds = *seconds * 10 + (digits.data[i] - '0');
    if (*seconds > INT32_MAX)
        *seconds = INT32_MAX;
    if (negative)
        *seconds = 0;
    return true;
}

/* Of a repeated attribute the last counts. An empty Domain is none. */
static void read_attribute(struct attributes *to, struct swale_span name, struct swale_span value)
{
    if (swale_name_equal(name, "expires")) {
        if (swale__date_parse(value, &to->expires))
            to->has_expires = true;
    } else if (swale_name_equal(name, "max-age")) {
        if (parse_max_age(value, &to->max_age))
            to->has_max_age = true;
    } else if (swale_name_equal(name, "domain")) {
        bool dot = value.size > 0 && value.data[0] == '.';
        to->domain = swale__slice(value, dot, value.size);
        to->has_domain = to->domain.size > 0;
    } else if (swale_name_equal(name, "path")) {
        to->path = value;
        to->has_path = value.size > 0 && value.data[0] == '/';
    } else if (swale_name_equal(name, "secure")) {
        to->secure = true;
    }
}

/* ---- Judgement -------------------------------------------------------------------------------------- */

static bool has_control(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f)
            return true;
    return false;
}

/* Is the host this domain, or below it (section 5.1.3)? An address is never below anything. */
static bool in_domain(const struct swale_url *url, struct swale_span domain)
{
    struct swale_span host = url->host;
    if (swale__host_equal(host, domain))
        return true;
    bool address = url->ipv6 || swale__is(host.data[host.size - 1], SWALE__DIGIT);
    if (address || url->unix_socket || host.size <= domain.size)
        return false;
    size_t at = host.size - domain.size;
    return host.data[at - 1] == '.' && swale__host_equal(swale__slice(host, at, host.size), domain);
}

static bool begins(struct swale_span name, const char *prefix)
{
    size_t size = strlen(prefix);
    return name.size >= size && swale_name_equal(swale__slice(name, 0, size), prefix);
}

/* The promises that a name makes (RFC 6265bis section 4.1.3), and Secure itself, which only TLS can give. */
static bool keeps_promises(struct swale_span name, const struct attributes *attributes, const struct swale_url *url)
{
    if (attributes->secure && !url->secure)
        return false;
    if (begins(name, "__Secure-"))
        return attributes->secure;
    bool rooted = attributes->has_path && attributes->path.size == 1 && !attributes->has_domain;
    return !begins(name, "__Host-") || (attributes->secure && rooted);
}

static int64_t expiry(const struct attributes *attributes, int64_t now)
{
    if (attributes->has_max_age)
        return now + attributes->max_age;
    return attributes->has_expires ? attributes->expires : INT64_MAX;
}

bool swale__cookie_parse(struct swale__cookie *cookie, struct swale_span text, const struct swale_url *url,
                         int64_t now)
{
    struct attributes attributes = { .secure = false };
    if (text.size > SWALE__JAR_COOKIE_SIZE_MAX || has_control(text))
        return false;
    struct swale_span pair = take_part(&text);
    if (find(pair, '=') == pair.size)
        return false;
    split(pair, &cookie->name, &cookie->value);
    while (text.size > 0) {
        struct swale_span name, value;
        split(take_part(&text), &name, &value);
        read_attribute(&attributes, name, value);
    }
    cookie->path = attributes.has_path ? attributes.path : default_path(url);
    cookie->secure = attributes.secure;
    cookie->expires = expiry(&attributes, now);
    return cookie->name.size > 0 && cookie->path.size <= SWALE__JAR_COOKIE_SIZE_MAX &&
           (!attributes.has_domain || in_domain(url, attributes.domain)) &&
           keeps_promises(cookie->name, &attributes, url);
}
