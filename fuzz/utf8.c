/* utf8.c - the UTF-8 checker against one that knows no tables, whole and in two pieces.
 *
 * Input: two bytes that say where to cut and how to align, then the text. */
#include <stdlib.h>
#include <swale/proto.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* Takes one character off the front of the text, by its code point (RFC 3629 section 3). Returns its length; 0 when
 * it is wrong, or not all there. */
static size_t take_character(const uint8_t *text, size_t size)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (text[0] < 0x80)
        return 1;
    size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc0 || text[0] >= 0xf8 || size < length)
        return 0;
    uint32_t point = text[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3f);
    }
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point >= smallest[length] && point <= 0x10ffff && !surrogate ? length : 0;
}

static bool whole_characters(const uint8_t *text, size_t size)
{
    size_t at = 0, taken = 1;
    for (; at < size && taken > 0; at += taken)
        taken = take_character(text + at, size - at);
    return taken > 0;
}

/* Whether something could be put behind the text that makes it valid: tries. */
static bool can_be_mended(const uint8_t *text, size_t size)
{
    static const char *const tails[] = { "", "\x80", "\xbf", "\x80\x80", "\xbf\x80", "\x80\x80\x80", "\xbf\x80\x80" };
    uint8_t *longer = malloc(size + 3);
    require(longer != NULL);
    memcpy(longer, text, size);
    bool mended = false;
    for (size_t i = 0; i < sizeof tails / sizeof tails[0] && !mended; i++) {
        memcpy(longer + size, tails[i], strlen(tails[i]));
        mended = whole_characters(longer, size + strlen(tails[i]));
    }
    free(longer);
    return mended;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = data[0], shift = data[1] % 64;
    data += 2;
    size -= 2;
    cut = cut < size ? cut : size;
    char *block = malloc(shift + size + 1), *text = block + 1 + shift;
    require(block != NULL);
    memcpy(text, data, size);

    require(swale_utf8_valid(text, size) == whole_characters(data, size));
    struct swale_utf8 utf8 = { 0 };
    bool first = swale_utf8_feed(&utf8, text, cut);
    require(first == can_be_mended(data, cut));
    require(swale_utf8_complete(&utf8) == whole_characters(data, cut));
    bool second = swale_utf8_feed(&utf8, text + cut, size - cut);
    require(second == (first && can_be_mended(data, size)));
    require(swale_utf8_complete(&utf8) == whole_characters(data, size));
    free(block);
    return 0;
}
