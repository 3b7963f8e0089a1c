/* fields.c - looking things up in the fields of a parsed head. */
#include "proto/head.h"
#include "proto/token.h"

/* Each of eight bytes as swale__lower gives it. With its high bit aside, a byte that is raised by 0x80 - 'A' reaches
 * the high bit from 'A' on, and one that is raised by 0x7f - 'Z' from behind 'Z'. */
static uint64_t lower8(uint64_t bytes)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t low = bytes & each * 0x7f;
    uint64_t upper = ((low + each * (0x80 - 'A')) ^ (low + each * (0x7f - 'Z'))) & ~bytes & each * 0x80;
    return bytes | upper >> 2; /* 0x80 to 0x20 */
}

static uint64_t load8(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    return bytes;
}

/* All of four to eight bytes, those in the middle twice. */
static uint64_t load_short(const char *text, size_t size)
{
    uint32_t first, last;
    memcpy(&first, text, sizeof first);
    memcpy(&last, text + size - sizeof last, sizeof last);
    return (uint64_t)first << 32 | last;
}

static bool same_name(const char *a, const char *b, size_t size)
{
    if (size >= 8) {
        for (size_t i = 0; i < size - 8; i += 8)
            if (lower8(load8(a + i)) != lower8(load8(b + i)))
                return false;
        return lower8(load8(a + size - 8)) == lower8(load8(b + size - 8));
    }
    if (size >= 4)
        return lower8(load_short(a, size)) == lower8(load_short(b, size));
    for (size_t i = 0; i < size; i++)
        if (swale__lower(a[i]) != swale__lower(b[i]))
            return false;
    return true;
}

bool swale_name_equal(struct swale_span a, const char *b)
{
    return strlen(b) == a.size && same_name(a.data, b, a.size);
}

/* Most names differ in their length already. */
static bool is_named(const struct swale_field *field, const char *name, size_t size)
{
    return field->name.size == size && same_name(field->name.data, name, size);
}

const struct swale_field *swale_field_find(const struct swale_field *fields, uint32_t count, const char *name,
                                           uint32_t *index)
{
    uint32_t i = index ? *index : 0;
    size_t size = strlen(name);
    while (i < count && !is_named(&fields[i], name, size))
        i++;
    if (index)
        *index = i < count ? i + 1 : count;
    return i < count ? &fields[i] : NULL;
}

int swale__field_single(const struct swale_field *fields, uint32_t count, const char *name, struct swale_span *value)
{
    uint32_t index = 0;
    const struct swale_field *field = swale_field_find(fields, count, name, &index);
    *value = field ? field->value : swale_text(NULL);
    if (field && swale_field_find(fields, count, name, &index))
        return -1;
    return field ? 1 : 0;
}

/* ---- Comma lists ---- */

/* Where the element that begins at `begin` ends: at the next comma that is not quoted. A quoted string that is
 * never closed reaches to the end, and is then for the grammar of the element to refuse. */
static size_t element_end(struct swale_span list, size_t begin)
{
    bool quoted = false;
    size_t end = begin;
    while (end < list.size && list.data[end] != ',' && list.data[end] != '"')
        end++;
    while (end < list.size && (quoted || list.data[end] != ',')) {
        if (list.data[end] == '"')
            quoted = !quoted;
        else if (quoted && list.data[end] == '\\' && end + 1 < list.size)
            end++;
        end++;
    }
    return end;
}

/* The next element of this one value that is not empty. */
static bool next_in_value(struct swale_span list, uint32_t *offset, struct swale_span *element)
{
    while (*offset < list.size) {
        size_t end = element_end(list, *offset);
        *element = swale__trim(swale__slice(list, *offset, end));
        *offset = (uint32_t)(end < list.size ? end + 1 : end);
        if (element->size > 0)
            return true;
    }
    return false;
}

bool swale_list_next(const struct swale_field *fields, uint32_t count, const char *name,
                     struct swale_list_cursor *cursor, struct swale_span *element)
{
    size_t size = strlen(name);
    for (; cursor->field < count; cursor->field++, cursor->offset = 0) {
        const struct swale_field *field = &fields[cursor->field];
        if (is_named(field, name, size) && next_in_value(field->value, &cursor->offset, element))
            return true;
    }
    return false;
}

bool swale__list_has(const struct swale_field *fields, uint32_t count, const char *name, const char *element)
{
    struct swale_list_cursor cursor = { 0 };
    struct swale_span found;
    while (swale_list_next(fields, count, name, &cursor, &found))
        if (swale_name_equal(found, element))
            return true;
    return false;
}

/* ---- Cookies ---- */

/* Takes the part up to the next `separator` from the front of *rest, which is not empty; without one, all of it. */
static struct swale_span take(struct swale_span *rest, char separator)
{
    const char *found = memchr(rest->data, separator, rest->size);
    size_t end = found ? (size_t)(found - rest->data) : rest->size;
    struct swale_span part = swale__slice(*rest, 0, end);
    *rest = swale__slice(*rest, found ? end + 1 : end, rest->size);
    return part;
}

/* Looks for the cookie in one Cookie value: pairs between semicolons (RFC 6265 section 4.2.1). The name is
 * compared with case, as user agents store it. */
static bool cookie_in_value(struct swale_span rest, struct swale_span name, struct swale_span *value)
{
    while (rest.size > 0) {
        struct swale_span pair = take(&rest, ';');
        bool has_value = pair.size > 0 && memchr(pair.data, '=', pair.size);
        if (has_value && swale_span_equal(swale__trim(take(&pair, '=')), name)) {
            *value = swale__trim(pair);
            return true;
        }
    }
    return false;
}

bool swale_cookie_find(const struct swale_request *request, const char *name, struct swale_span *value)
{
    uint32_t index = 0;
    const struct swale_field *field;
    while ((field = swale_field_find(request->fields, request->field_count, "cookie", &index)))
        if (cookie_in_value(field->value, swale_text(name), value))
            return true;
    return false;
}
