#include "server/router.h"

#include <swale/proto.h>

#include <errno.h>

struct swale__node {
    struct swale_span text;       /* the literal; empty for a parameter */
    struct swale__node *literals; /* the first child with a literal */
    struct swale__node *sibling;
    struct swale__node *param;
    size_t here, wild; /* routes that end here, or in a wildcard here; counted from 1, 0 for none */
};

/* ---- Paths ------------------------------------------------------------------------------------------ */

static bool is_dots(struct swale_span segment)
{
    return (segment.size == 1 && segment.data[0] == '.') ||
           (segment.size == 2 && segment.data[0] == '.' && segment.data[1] == '.');
}

int swale__path_split(struct swale__path *path, struct swale_span raw, char *room)
{
    path->raw = raw;
    path->count = 0;
    if (raw.size == 0 || raw.data[0] != '/')
        return SWALE_ERR_HTTP_TARGET;
    size_t used = 0;
    for (size_t begin = 1; begin <= raw.size;) {
        const char *slash = memchr(raw.data + begin, '/', raw.size - begin);
        size_t end = slash ? (size_t)(slash - raw.data) : raw.size;
        struct swale_span sent = swale_span(raw.data + begin, end - begin);
        ptrdiff_t size = swale_percent_decode(sent, false, room + used, raw.size - used);
        if (size < 0)
            return SWALE_ERR_HTTP_TARGET;
        struct swale_span segment = swale_span(room + used, (size_t)size);
        if (is_dots(segment))
            return SWALE_ERR_HTTP_TARGET;
        if (path->count < SWALE__SEGMENTS_MAX) {
            path->segments[path->count] = segment;
            path->offsets[path->count] = begin;
        }
        path->count++;
        used += (size_t)size;
        begin = end + 1;
    }
    return 0;
}

/* ---- Patterns --------------------------------------------------------------------------------------- */

static bool is_name(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool good =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!good)
            return false;
    }
    return text.size > 0;
}

static bool is_literal(struct swale_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f || strchr("{}*?#%", c))
            return false;
    }
    return !is_dots(text);
}

/* The name inside "{name}", or the empty span for another segment. */
static struct swale_span param_name(struct swale_span segment)
{
    bool braced = segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
    return braced ? swale_span(segment.data + 1, segment.size - 2) : swale_span(NULL, 0);
}

/* The next segment of a pattern, from its slash at *at; false at the end. */
static bool next_segment(const char *pattern, size_t *at, struct swale_span *segment)
{
    if (pattern[*at] != '/')
        return false;
    const char *begin = pattern + *at + 1;
    *segment = swale_span(begin, strcspn(begin, "/"));
    *at += 1 + segment->size;
    return true;
}

int swale__pattern_param(const char *pattern, const char *name)
{
    size_t at = 0;
    struct swale_span segment;
    for (int n = 0; next_segment(pattern, &at, &segment);) {
        struct swale_span param = param_name(segment);
        if (param.size && swale_span_equal(param, swale_text(name)))
            return n;
        n += param.size ? 1 : 0;
    }
    return -1;
}

static bool name_is_repeated(const char *pattern, struct swale_span name)
{
    size_t at = 0;
    size_t times = 0;
    struct swale_span segment;
    while (next_segment(pattern, &at, &segment))
        times += swale_span_equal(param_name(segment), name) ? 1 : 0;
    return times > 1;
}

static bool pattern_valid(const char *pattern)
{
    size_t at = 0;
    size_t count = 0;
    size_t params = 0;
    struct swale_span segment;
    if (!pattern || pattern[0] != '/')
        return false;
    while (next_segment(pattern, &at, &segment)) {
        bool last = pattern[at] == '\0';
        struct swale_span name = param_name(segment);
        bool good;
        if (name.size)
            good = ++params <= SWALE__PARAMS_MAX && is_name(name) && !name_is_repeated(pattern, name);
        else if (last && (segment.size == 0 || swale_span_equal(segment, swale_text("*"))))
            good = true;
        else
            good = segment.size > 0 && is_literal(segment);
        if (!good || ++count > SWALE__SEGMENTS_MAX)
            return false;
    }
    return true;
}

static struct swale__node *new_node(struct swale__router *router, struct swale_span text)
{
    struct swale__node *node = swale__arena_alloc(router->arena, sizeof *node);
    const char *copy = swale__arena_copy(router->arena, text);
    if (!node || !copy)
        return NULL;
    *node = (struct swale__node){ .text = swale_span(copy, text.size) };
    return node;
}

static struct swale__node *find_literal(const struct swale__node *node, struct swale_span text)
{
    struct swale__node *child = node->literals;
    while (child && !swale_span_equal(child->text, text))
        child = child->sibling;
    return child;
}

/* The child for a segment of a pattern, made when it is not there yet. */
static struct swale__node *descend(struct swale__router *router, struct swale__node *node, struct swale_span segment)
{
    bool param = param_name(segment).size > 0;
    struct swale__node *child = param ? node->param : find_literal(node, segment);
    if (child)
        return child;
    child = new_node(router, param ? swale_span(NULL, 0) : segment);
    if (!child)
        return NULL;
    if (param) {
        node->param = child;
    } else {
        child->sibling = node->literals;
        node->literals = child;
    }
    return child;
}

int swale__router_add(struct swale__router *router, const char *pattern, size_t route)
{
    if (!pattern_valid(pattern))
        return SWALE_ERR_ROUTE;
    if (!router->root)
        router->root = new_node(router, swale_span(NULL, 0));
    struct swale__node *node = router->root;
    size_t at = 0;
    struct swale_span segment;
    size_t *end = NULL;
    while (node && next_segment(pattern, &at, &segment)) {
        if (swale_span_equal(segment, swale_text("*"))) {
            end = &node->wild;
            break;
        }
        node = descend(router, node, segment);
        end = node ? &node->here : NULL;
    }
    if (!node || !end)
        return -ENOMEM;
    if (*end)
        return SWALE_ERR_ROUTE;
    *end = route + 1;
    return 0;
}

/* ---- Matching --------------------------------------------------------------------------------------- */

static bool match_wildcard(const struct swale__node *node, const struct swale__path *path, size_t depth,
                           struct swale__match *match)
{
    if (!node->wild || depth >= path->count)
        return false;
    size_t offset = path->offsets[depth];
    match->route = node->wild - 1;
    match->wildcard = true;
    match->depth = depth;
    match->rest = swale_span(path->raw.data + offset, path->raw.size - offset);
    return true;
}

/* Recursion ends with the tree, whose depth the patterns bound; no node is visited twice. */
static bool match_below(const struct swale__node *node, const struct swale__path *path, size_t depth,
                        struct swale__match *match)
{
    if (depth == path->count && node->here) {
        match->route = node->here - 1;
        match->wildcard = false;
        match->depth = depth;
        return true;
    }
    if (depth >= path->count || depth >= SWALE__SEGMENTS_MAX)
        return false;
    struct swale_span segment = path->segments[depth];
    const struct swale__node *child = find_literal(node, segment);
    if (child && match_below(child, path, depth + 1, match))
        return true;
    if (node->param && segment.size && match->param_count < SWALE__PARAMS_MAX) {
        match->params[match->param_count++] = segment;
        if (match_below(node->param, path, depth + 1, match))
            return true;
        match->param_count--;
    }
    return match_wildcard(node, path, depth, match);
}

bool swale__router_find(const struct swale__router *router, const struct swale__path *path,
                        struct swale__match *match)
{
    *match = (struct swale__match){ .rest = swale_span(NULL, 0) };
    return router->root && match_below(router->root, path, 0, match);
}
