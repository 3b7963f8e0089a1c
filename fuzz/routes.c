/* routes.c - patterns of paths, and which of them a path belongs to, against a matcher that tries them all.
 *
 * Input: lines. Those that begin with '+' are patterns to be added, the others paths to be found. The router keeps a
 * tree; the model keeps a list, matches every pattern by itself, and takes the one that prefers a literal to a
 * parameter and that to a wildcard, segment by segment. */
#include "fuzz.h"
#include "server/router.h"

#include <swale/proto.h>

enum { PATTERNS = 32, LINE = 200, SEGMENTS = 64, PARAMS = 16 };

/* A pattern or a path in segments; those of a path are decoded. */
struct parts {
    char text[SEGMENTS + 1][LINE];
    size_t size[SEGMENTS + 1];
    size_t count;
};

/* ---- Patterns ---------------------------------------------------------------------------------------------- */

static bool is_param(const char *segment)
{
    size_t size = strlen(segment);
    return size > 2 && segment[0] == '{' && segment[size - 1] == '}';
}

static bool is_dots(const char *segment)
{
    return strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;
}

static bool good_param(const char *segment)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return strspn(segment + 1, letters) == strlen(segment) - 2;
}

static bool good_literal(const char *segment)
{
    for (const char *c = segment; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return *segment && !is_dots(segment) && !strpbrk(segment, "{}*?#%");
}

static bool repeats(const struct parts *pattern, size_t last)
{
    for (size_t i = 0; i < last; i++)
        if (strcmp(pattern->text[i], pattern->text[last]) == 0)
            return true;
    return false;
}

static bool model_pattern(struct parts *pattern, const char *line)
{
    size_t params = 0;
    pattern->count = 0;
    if (*line != '/')
        return false;
    while (*line == '/') {
        size_t size = strcspn(++line, "/");
        bool last = !line[size];
        if (pattern->count == SEGMENTS)
            return false;
        char *segment = pattern->text[pattern->count];
        memcpy(segment, line, size);
        segment[size] = '\0';
        bool end = last && (size == 0 || strcmp(segment, "*") == 0);
        bool param = is_param(segment);
        params += param;
        if (param ? !good_param(segment) || repeats(pattern, pattern->count) || params > PARAMS
                  : !end && !good_literal(segment))
            return false;
        pattern->count++;
        line += size;
    }
    return true;
}

static bool is_wild(const struct parts *pattern)
{
    return strcmp(pattern->text[pattern->count - 1], "*") == 0;
}

/* They match the same paths. */
static bool same_pattern(const struct parts *a, const struct parts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!(is_param(a->text[i]) && is_param(b->text[i])) && strcmp(a->text[i], b->text[i]) != 0)
            return false;
    return true;
}

/* ---- Paths -------------------------------------------------------------------------------------------------- */

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static bool model_path(struct parts *path, size_t *count, const char *line)
{
    *count = path->count = 0;
    if (*line != '/')
        return false;
    while (*line == '/') {
        char decoded[LINE];
        size_t size = 0;
        for (line++; *line && *line != '/'; line++) {
            int high = *line == '%' ? hex(line[1]) : -1, low = high >= 0 ? hex(line[2]) : -1;
            if (*line == '%' && (low < 0 || high + low == 0))
                return false;
            decoded[size++] = *line == '%' ? (char)(high * 16 + low) : *line;
            line += *line == '%' ? 2 : 0;
        }
        decoded[size] = '\0';
        if (is_dots(decoded))
            return false;
        if (path->count < SEGMENTS) {
            memcpy(path->text[path->count], decoded, size + 1);
            path->size[path->count++] = size;
        }
        ++*count;
    }
    return true;
}

/* How the pattern takes the path, one digit a segment: literal 3, parameter 2, wildcard 1. What is greater is
 * preferred. Empty: not at all. */
static void model_match(const struct parts *pattern, const struct parts *path, size_t count, char *how)
{
    char taken[SEGMENTS + 2];
    size_t fixed = pattern->count - is_wild(pattern);
    *how = '\0';
    if (is_wild(pattern) ? count <= fixed : count != fixed)
        return;
    for (size_t i = 0; i < fixed; i++) {
        bool param = is_param(pattern->text[i]);
        bool literal = !param && strlen(pattern->text[i]) == path->size[i] &&
                       memcmp(pattern->text[i], path->text[i], path->size[i]) == 0;
        if (!literal && !(param && path->size[i] > 0))
            return;
        taken[i] = literal ? '3' : '2';
    }
    taken[fixed] = is_wild(pattern) ? '1' : '\0';
    taken[fixed + 1] = '\0';
    strcpy(how, taken);
}

/* ---- Both --------------------------------------------------------------------------------------------------- */

static struct parts patterns[PATTERNS];
static size_t pattern_count;

static void add(struct swale__router *router, const char *line)
{
    struct parts *pattern = &patterns[pattern_count];
    bool good = pattern_count < PATTERNS && model_pattern(pattern, line);
    for (size_t i = 0; good && i < pattern_count; i++)
        good = !same_pattern(&patterns[i], pattern);
    if (pattern_count == PATTERNS)
        return;
    char *text = fuzz_string(line, strlen(line));
    require(swale__router_add(router, text, pattern_count) == (good ? 0 : SWALE_ERR_ROUTE));
    free(text);
    pattern_count += good;
}

static void require_match(const struct swale__match *match, const struct parts *pattern, const struct parts *path,
                          const struct swale__path *split)
{
    size_t params = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        if (!is_param(pattern->text[i]))
            continue;
        require(params < match->param_count);
        require(swale_span_equal(match->params[params++], swale_span(path->text[i], path->size[i])));
    }
    require(params == match->param_count && match->wildcard == is_wild(pattern));
    if (match->wildcard)
        require(match->rest.data + match->rest.size == split->raw.data + split->raw.size &&
                match->rest.data[-1] == '/' && match->depth == pattern->count - 1);
}

static void find(const struct swale__router *router, const char *line)
{
    static struct parts path;
    struct swale__path split;
    struct swale__match match;
    char best[SEGMENTS + 2] = "", how[SEGMENTS + 2];
    size_t count, chosen = 0, size = strlen(line);
    char *text = fuzz_copy(line, size), *room = malloc(size + 1);
    bool good = model_path(&path, &count, line);
    require(room && swale__path_split(&split, swale_span(text, size), room) == (good ? 0 : SWALE_ERR_HTTP_TARGET));
    if (good) {
        require(split.count == count);
        for (size_t i = 0; i < path.count; i++)
            require(swale_span_equal(split.segments[i], swale_span(path.text[i], path.size[i])));
        for (size_t i = 0; i < pattern_count; i++) {
            model_match(&patterns[i], &path, count, how);
            if (strcmp(how, best) > 0) {
                strcpy(best, how);
                chosen = i;
            }
        }
        require(swale__router_find(router, &split, &match) == (*best != '\0'));
        if (*best) {
            require(match.route == chosen);
            require_match(&match, &patterns[chosen], &path, &split);
        }
    }
    free(text);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct swale__arena arena = { 0 };
    struct swale__router router = { .arena = &arena };
    struct fuzz_input input = { data, data + size };
    pattern_count = 0;
    while (input.at < input.end) {
        char line[LINE];
        const uint8_t *newline = memchr(input.at, '\n', (size_t)(input.end - input.at));
        size_t length = (size_t)((newline ? newline : input.end) - input.at);
        struct swale_span span = fuzz_span(&input, length < LINE - 1 ? length : LINE - 1);
        size_t end = strnlen(span.data, span.size);
        memcpy(line, span.data, end);
        line[end] = '\0';
        input.at += newline && input.at == newline;
        if (line[0] == '+')
            add(&router, line + 1);
        else
            find(&router, line);
    }
    swale__arena_done(&arena);
    return 0;
}
