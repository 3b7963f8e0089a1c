/* query.c - what servers find in a request: escapes, parameters of queries, cookies, and elements of lists.
 *
 * Input: one byte that chooses a name, then the text. Each is found once more, by a model that copies the text apart
 * first; encoding, and a round through swale_percent_decode, must give back what was encoded. */
#include "fuzz.h"

#include <swale/proto.h>

static const char *const names[] = { "a", "ab", "a b", "", "id", "\xff", "A" };
enum { NAMES = sizeof names / sizeof names[0] };

static int hex(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *found = c ? strchr(digits, c >= 'a' && c <= 'f' ? c - 32 : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* -1 for what cannot be decoded. */
static int model_decode(const char *text, size_t size, bool plus, char *out)
{
    int made = 0;
    for (size_t i = 0; i < size; i++) {
        int value = (unsigned char)text[i];
        if (value == '+' && plus)
            value = ' ';
        if (value == '%') {
            if (i + 2 >= size || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
                return -1;
            value = hex(text[i + 1]) * 16 + hex(text[i + 2]);
            i += 2;
            if (value == 0)
                return -1;
        }
        out[made++] = (char)value;
    }
    return made;
}

static void try_percent(struct swale_span text, bool plus)
{
    char *expected = malloc(text.size + 1), *out = malloc(text.size + 1);
    require(expected && out);
    int size = model_decode(text.data, text.size, plus, expected);
    ptrdiff_t made = swale_percent_decode(text, plus, out, text.size);
    require(size < 0 ? made == SWALE_ERR_HTTP_TARGET : made == size && memcmp(out, expected, (size_t)size) == 0);
    if (size > 0) {
        char *tight = fuzz_copy(out, (size_t)size - 1);
        require(swale_percent_decode(text, plus, tight, (size_t)size - 1) == SWALE_ERR_TOO_SMALL);
        free(tight);
    }
    free(expected);
    free(out);
}

static void try_encoding(struct swale_span text)
{
    char *encoded = malloc(3 * text.size + 1), *decoded = malloc(text.size + 1);
    require(encoded && decoded);
    for (size_t i = 0; i < text.size; i++)
        sprintf(encoded + 3 * i, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)text.data[i]);
    ptrdiff_t size = swale_percent_decode(swale_span(encoded, 3 * text.size), false, decoded, text.size);
    if (text.size > 0 && memchr(text.data, 0, text.size))
        require(size == SWALE_ERR_HTTP_TARGET);
    else
        require(size == (ptrdiff_t)text.size && memcmp(decoded, text.data, text.size) == 0);
    free(encoded);
    free(decoded);
}

/* ---- Parameters ------------------------------------------------------------------------------------------- */

/* The end of the part that begins at `at`. */
static size_t part_end(struct swale_span text, size_t at, char separator)
{
    while (at < text.size && text.data[at] != separator)
        at++;
    return at;
}

static bool model_query(struct swale_span query, const char *name, struct swale_span *value)
{
    char *decoded = malloc(query.size + 1);
    bool found = false;
    require(decoded != NULL);
    for (size_t at = 0, end; at < query.size && !found; at = end + 1) {
        end = part_end(query, at, '&');
        size_t sign = part_end(swale_span(query.data, end), at, '=');
        int size = model_decode(query.data + at, sign - at, true, decoded);
        found = sign > at && size >= 0 && (size_t)size == strlen(name) && memcmp(decoded, name, (size_t)size) == 0;
        size_t begin = sign < end ? sign + 1 : end;
        *value = swale_span(query.data + begin, end - begin);
    }
    free(decoded);
    return found;
}

static void try_query(struct swale_span text, const char *name)
{
    struct swale_span value, expected;
    bool found = swale_query_find(text, name, &value);
    require(found == model_query(text, name, &expected));
    require(!found || (value.data == expected.data && value.size == expected.size));
}

/* ---- Cookies, lists ----------------------------------------------------------------------------------------- */

static struct swale_span trimmed(struct swale_span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = swale_span(text.data + 1, text.size - 1);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static bool model_cookie(struct swale_span text, const char *name, struct swale_span *value)
{
    for (size_t at = 0, end; at < text.size; at = end + 1) {
        end = part_end(text, at, ';');
        size_t sign = part_end(swale_span(text.data, end), at, '=');
        if (sign == end || !swale_span_equal(trimmed(swale_span(text.data + at, sign - at)), swale_text(name)))
            continue;
        *value = trimmed(swale_span(text.data + sign + 1, end - sign - 1));
        return true;
    }
    return false;
}

static void try_cookies(struct swale_span text, const char *name)
{
    struct swale_span first = swale_span(text.data, text.size / 2), value, expected;
    struct swale_span second = swale_span(text.data + first.size, text.size - first.size);
    const struct swale_field fields[] = { { swale_text("X"), text },
                                          { swale_text("Cookie"), first },
                                          { swale_text("cookie"), second } };
    const struct swale_request request = { .fields = fields, .field_count = 3 };
    bool found = swale_cookie_find(&request, name, &value);
    require(found == (model_cookie(first, name, &expected) || model_cookie(second, name, &expected)));
    require(!found || swale_span_equal(value, expected));
}

/* Elements in a row, each behind a newline. Within quotes a comma is none, and a backslash takes the next byte along.
 */
static size_t model_list(struct swale_span text, char *out)
{
    size_t made = 0, begin = 0;
    bool quoted = false, escaped = false;
    for (size_t i = 0; i <= text.size; i++) {
        char c = i < text.size ? text.data[i] : ',';
        if (i == text.size || (c == ',' && !quoted)) {
            struct swale_span element = trimmed(swale_span(text.data + begin, i - begin));
            begin = i + 1;
            if (element.size == 0)
                continue;
            memcpy(out + made, element.data, element.size);
            made += element.size;
            out[made++] = '\n';
        } else if (escaped) {
            escaped = false;
        } else if (c == '"') {
            quoted = !quoted;
        } else {
            escaped = quoted && c == '\\';
        }
    }
    return made;
}

static void try_list(struct swale_span text)
{
    struct swale_span first = swale_span(text.data, text.size / 2), element;
    struct swale_span second = swale_span(text.data + first.size, text.size - first.size);
    const struct swale_field fields[] = { { swale_text("List"), first },
                                          { swale_text("X"), text },
                                          { swale_text("lIST"), second } };
    struct swale_list_cursor cursor = { 0 };
    char *expected = malloc(2 * text.size + 2);
    require(expected != NULL);
    size_t size = model_list(first, expected), at = 0;
    size += model_list(second, expected + size);
    while (swale_list_next(fields, 3, "list", &cursor, &element)) {
        require(element.size < size - at && memcmp(expected + at, element.data, element.size) == 0);
        at += element.size;
        require(expected[at++] == '\n');
    }
    require(at == size && !swale_list_next(fields, 3, "list", &cursor, &element));
    free(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *block = fuzz_copy(data + 1, size - 1);
    struct swale_span text = swale_span(block, size - 1);
    const char *name = names[data[0] % NAMES];
    try_percent(text, false);
    try_percent(text, true);
    try_encoding(text);
    try_query(text, name);
    try_cookies(text, name);
    try_list(text);
    free(block);
    return 0;
}
