/* cookies.c - the jar, the reader of dates, and the finding of cookies, against models too plain to be wrong.
 *
 * Input: one byte of options, then lines. Each line's first byte says what it is: a Set-Cookie value and the URL that
 * it comes from, time that passes, or a question of what goes to a URL. The model keeps what was set in a list, in
 * order, and reads Set-Cookie by the steps of RFC 6265 section 5.2. Apart from that every line is read as a date. */
#include "client/date.h"
#include "client/jar.h"
#include "fuzz.h"

#include <strings.h>
#include <time.h>

enum { COOKIES = 256, TEXT = 600 };

static const char *const urls[] = { "ws://example.com/a/b/c?q", "wss://example.com/a/b/", "wss://www.example.com/",
                                    "ws://127.0.0.1/a",         "wss://[::1]/?a=/b",      "wss://EXAMPLE.com:8443/ab",
                                    "ws+unix:/a/b:/a",          "ws://example.com?/a" };
enum { URLS = sizeof urls / sizeof urls[0] };

/* A URL, taken apart by hand. */
struct place {
    const char *host, *path, *parent;
    bool secure;
};
static const struct place places[URLS] = {
    { "example.com", "/a/b/c", "/a/b", false },
    { "example.com", "/a/b/", "/a/b", true },
    { "www.example.com", "/", "/", true },
    { "127.0.0.1", "/a", "/", false },
    { "::1", "/", "/", true },
    { "example.com", "/ab", "/", true },
    { "unix", "/a", "/", false },
    { "example.com", "/", "/", false },
};

/* ---- Dates (RFC 6265 section 5.1.1), with the productions as patterns for sscanf ---------------------------- */

static bool is_delimiter(int c)
{
    return c == 9 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e);
}

static size_t digits_of(const char *text)
{
    return strspn(text, "0123456789");
}

/* "1*2DIGIT" at the front, whatever else follows but a digit. */
static bool read_number(const char *text, size_t least, size_t most, int *number)
{
    size_t digits = digits_of(text);
    if (digits < least || digits > most)
        return false;
    *number = atoi(text);
    return true;
}

static bool read_clock(const char *text, struct tm *date)
{
    const char *minute = strchr(text, ':'), *second = minute ? strchr(minute + 1, ':') : NULL;
    if (!second || digits_of(text) != (size_t)(minute - text) ||
        digits_of(minute + 1) != (size_t)(second - minute - 1))
        return false;
    struct tm found = *date;
    if (!read_number(text, 1, 2, &found.tm_hour) || !read_number(minute + 1, 1, 2, &found.tm_min) ||
        !read_number(second + 1, 1, 2, &found.tm_sec))
        return false;
    *date = found;
    return true;
}

static bool read_month(const char *text, int *month)
{
    static const char *const names[] = { "jan", "feb", "mar", "apr", "may", "jun",
                                         "jul", "aug", "sep", "oct", "nov", "dec" };
    for (int i = 0; i < 12; i++)
        if (strncasecmp(text, names[i], 3) == 0) {
            *month = i;
            return true;
        }
    return false;
}

static bool real_day(const struct tm *date, int64_t *seconds)
{
    struct tm copy = *date;
    copy.tm_sec = 0; /* a leap second is no reason to doubt the day */
    *seconds = timegm(&copy) + date->tm_sec;
    return copy.tm_mday == date->tm_mday && copy.tm_mon == date->tm_mon && date->tm_hour < 24 && date->tm_min < 60 &&
           date->tm_sec <= 60;
}

static bool model_date(const char *text, int64_t *seconds)
{
    bool clock = false, day = false, month = false, year = false;
    struct tm date = { 0 };
    while (*text) {
        char token[TEXT] = "";
        size_t size = 0;
        while (*text && is_delimiter((unsigned char)*text))
            text++;
        while (*text && !is_delimiter((unsigned char)*text) && size + 1 < sizeof token)
            token[size++] = *text++;
        if (!clock && read_clock(token, &date)) {
            clock = true;
        } else if (!day && read_number(token, 1, 2, &date.tm_mday)) {
            day = true;
        } else if (!month && read_month(token, &date.tm_mon)) {
            month = true;
        } else if (!year && read_number(token, 2, 4, &date.tm_year)) {
            year = true;
        }
    }
    if (date.tm_year < 100)
        date.tm_year += date.tm_year < 70 ? 2000 : 1900;
    date.tm_year -= 1900;
    return clock && day && month && year && date.tm_year >= 1601 - 1900 && date.tm_mday >= 1 &&
           real_day(&date, seconds);
}

static void try_date(const char *text)
{
    int64_t seconds = -1, expected = -1;
    bool good = swale__date_parse(swale_text(text), &seconds);
    require(good == model_date(text, &expected));
    if (!good)
        return;
    require(seconds == expected);
    /* Written in the preferred form it is the same instant. */
    char again[64];
    struct tm date;
    time_t instant = seconds;
    gmtime_r(&instant, &date);
    strftime(again, sizeof again, "%a, %d %b %Y %H:%M:%S GMT", &date);
    require(date.tm_year + 1900 > 9999 || (swale__date_parse(swale_text(again), &expected) && expected == seconds));
}

/* ---- Set-Cookie, step by step ------------------------------------------------------------------------------- */

struct cookie {
    char name[TEXT], value[TEXT], path[TEXT];
    const char *host;
    bool secure, gone;
    int64_t expires;
    unsigned created, set;
};

static void trim(char *text)
{
    size_t size = strlen(text), begin = strspn(text, " \t");
    while (size > begin && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    memmove(text, text + begin, size - begin);
    text[size - begin] = '\0';
}

static void split(char *pair, char **value)
{
    char *sign = strchr(pair, '=');
    *value = sign ? sign + 1 : pair + strlen(pair);
    if (sign)
        *sign = '\0';
    trim(pair);
    trim(*value);
}

static bool model_max_age(const char *text, int64_t *seconds)
{
    const char *digits = text + (*text == '-');
    if (!*digits || digits_of(digits) != strlen(digits))
        return false;
    *seconds = *text == '-' ? 0 : strlen(digits + strspn(digits, "0")) > 10 ? INT32_MAX : strtoll(digits, NULL, 10);
    if (*seconds > INT32_MAX)
        *seconds = INT32_MAX;
    return true;
}

static bool below(const char *host, const char *domain)
{
    size_t above = strlen(host) - strlen(domain);
    if (strcasecmp(host, domain) == 0)
        return true;
    bool name = strncmp(host, "127", 3) != 0 && host[0] != ':' && strcmp(host, "unix") != 0;
    return name && strlen(domain) < strlen(host) && host[above - 1] == '.' && strcasecmp(host + above, domain) == 0;
}

static bool model_parse(struct cookie *cookie, char *text, const struct place *place, int64_t now)
{
    char domain[TEXT] = "", *value, *rest = text;
    bool max_age = false, rooted = false;
    int64_t seconds;
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    char *pair = strsep(&rest, ";");
    if (!strchr(pair, '='))
        return false;
    split(pair, &value);
    *cookie = (struct cookie){ .host = place->host, .expires = INT64_MAX };
    strcpy(cookie->name, pair);
    strcpy(cookie->value, value);
    strcpy(cookie->path, place->parent);
    while (rest) {
        char *name = strsep(&rest, ";");
        split(name, &value);
        if (strcasecmp(name, "secure") == 0)
            cookie->secure = true;
        if (strcasecmp(name, "domain") == 0)
            strcpy(domain, value + (*value == '.'));
        if (strcasecmp(name, "path") == 0) {
            strcpy(cookie->path, *value == '/' ? value : place->parent);
            rooted = strcmp(value, "/") == 0;
        }
        if (strcasecmp(name, "max-age") == 0 && model_max_age(value, &seconds)) {
            cookie->expires = now + seconds;
            max_age = true;
        }
        if (strcasecmp(name, "expires") == 0 && model_date(value, &seconds) && !max_age)
            cookie->expires = seconds;
    }
    if (strncasecmp(cookie->name, "__Secure-", 9) == 0 && !cookie->secure)
        return false;
    if (strncasecmp(cookie->name, "__Host-", 7) == 0 && (!cookie->secure || !rooted || *domain))
        return false;
    return *cookie->name && (!cookie->secure || place->secure) && (!*domain || below(place->host, domain));
}

/* ---- The model of a jar --------------------------------------------------------------------------------------- */

struct model {
    struct cookie cookies[COOKIES]; /* in the order in which they were set */
    unsigned count;
    int64_t now;
};

static bool path_within(const char *path, const char *cookie_path)
{
    size_t size = strlen(cookie_path);
    if (strncmp(path, cookie_path, size) != 0)
        return false;
    return path[size] == '\0' || path[size] == '/' || cookie_path[size - 1] == '/';
}

static bool alive(const struct model *model, const struct cookie *cookie)
{
    return !cookie->gone && cookie->expires > model->now;
}

static void model_set(struct model *model, const struct cookie *new, const struct place *place)
{
    struct cookie *oldest = NULL, *same = NULL;
    unsigned living = 0;
    for (unsigned i = 0; i < model->count; i++) {
        struct cookie *old = &model->cookies[i];
        if (!alive(model, old))
            continue;
        bool like = strcmp(old->name, new->name) == 0 && strcmp(old->host, new->host) == 0;
        if (like && old->secure && !place->secure && path_within(new->path, old->path))
            return;
        if (like && strcmp(old->path, new->path) == 0)
            same = old;
        oldest = oldest ? oldest : old;
        living++;
    }
    struct cookie *made = &model->cookies[model->count];
    *made = *new;
    made->created = same ? same->created : model->count;
    made->gone = new->expires <= model->now;
    model->count++;
    if (same)
        same->gone = true;
    else if (!made->gone && living == SWALE__JAR_COOKIES_MAX)
        oldest->gone = true;
}

/* The one to be sent behind `last`: longer paths first, then older ones. */
static const struct cookie *next_of(const struct model *model, const struct place *place, const struct cookie *last)
{
    const struct cookie *best = NULL;
    for (unsigned i = 0; i < model->count; i++) {
        const struct cookie *cookie = &model->cookies[i];
        size_t size = strlen(cookie->path);
        if (!alive(model, cookie) || strcmp(cookie->host, place->host) != 0 || (cookie->secure && !place->secure) ||
            !path_within(place->path, cookie->path))
            continue;
        if (last && (size > strlen(last->path) || (size == strlen(last->path) && cookie->created <= last->created)))
            continue;
        if (!best || size > strlen(best->path) || (size == strlen(best->path) && cookie->created < best->created))
            best = cookie;
    }
    return best;
}

static void model_write(const struct model *model, const struct place *place, char *out)
{
    const struct cookie *cookie = NULL;
    *out = '\0';
    while ((cookie = next_of(model, place, cookie)))
        out += sprintf(out, "%s%s=%s", *out || cookie != next_of(model, place, NULL) ? "; " : "", cookie->name,
                       cookie->value);
}

/* ---- The script ------------------------------------------------------------------------------------------------ */

static void ask(const struct model *model, struct swale__jar *jar, unsigned which)
{
    static char expected[COOKIES * 2 * TEXT];
    struct swale_url url;
    require(swale_url_parse(swale_text(urls[which]), &url, NULL) == 0);
    model_write(model, &places[which], expected);
    size_t size = swale__jar_bound(jar);
    char *out = malloc(size + 1);
    require(out != NULL);
    ptrdiff_t written = swale__jar_write(jar, &url, model->now, out, size);
    require(written >= 0 && swale_span_equal(swale_span(out, (size_t)written), swale_text(expected)));
    /* A server finds the first of each name. */
    struct swale_field field = { swale_text("Cookie"), swale_span(out, (size_t)written) };
    struct swale_request request = { .fields = &field, .field_count = 1 };
    const struct cookie *first = next_of(model, &places[which], NULL);
    struct swale_span value;
    if (first && !strpbrk(first->name, "; \t") && !strpbrk(first->value, ";"))
        require(swale_cookie_find(&request, first->name, &value));
    free(out);
}

static void take(struct model *model, struct swale__jar *jar, unsigned which, const char *line)
{
    char copy[TEXT];
    struct cookie cookie;
    struct swale_url url;
    char *text = fuzz_string(line, strlen(line));
    const struct swale_field field = { swale_text("Set-Cookie"), swale_text(text) };
    require(swale_url_parse(swale_text(urls[which]), &url, NULL) == 0);
    swale__jar_take(jar, &url, &field, 1, model->now);
    free(text);
    strcpy(copy, line);
    if (model_parse(&cookie, copy, &places[which], model->now))
        model_set(model, &cookie, &places[which]);
}

/* A field has no white space around its value. */
static const char *take_line(struct fuzz_input *input, char line[TEXT])
{
    const uint8_t *end = memchr(input->at, '\n', (size_t)(input->end - input->at));
    size_t left = (size_t)((end ? end : input->end) - input->at);
    struct swale_span span = fuzz_span(input, left < TEXT - 1 ? left : TEXT - 1);
    if (span.size > 0)
        memcpy(line, span.data, span.size);
    line[span.size] = '\0';
    if (end && input->at == end)
        input->at++;
    trim(line);
    return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;
    static const unsigned short waits[] = { 0, 1, 100, 65535 };
    struct fuzz_input input = { data, data + size };
    struct swale__jar *jar;
    char line[TEXT];
    require(swale__jar_new(&jar, NULL) == 0);
    model.count = 0;
    model.now = 784111777; /* Sun, 06 Nov 1994 08:49:37 GMT */
    while (input.at < input.end && model.count < COOKIES) {
        unsigned what = fuzz_byte(&input);
        if (what % 4 == 3)
            model.now += waits[what / 4 % 4];
        else if (what % 4 == 2)
            ask(&model, jar, what / 4 % URLS);
        else
            take(&model, jar, what / 4 % URLS, take_line(&input, line));
        if (what % 4 < 2)
            try_date(line);
    }
    for (unsigned i = 0; i < URLS; i++)
        ask(&model, jar, i);
    swale__jar_free(jar);
    return 0;
}
