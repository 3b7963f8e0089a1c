/* utf8.c - the UTF-8 checker against one that knows no tables, whole and in two pieces.
 *
 * Input: two bytes that say where to cut and how to align, then the text. */
#include "reference.h"

#include <swale/proto.h>

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

    require(swale_utf8_valid(text, size) == reference_text(data, size));
    struct swale_utf8 utf8 = { 0 };
    bool first = swale_utf8_feed(&utf8, text, cut);
    require(first == reference_text_begins(data, cut));
    require(swale_utf8_complete(&utf8) == reference_text(data, cut));
    bool second = swale_utf8_feed(&utf8, text + cut, size - cut);
    require(second == (first && reference_text_begins(data, size)));
    require(swale_utf8_complete(&utf8) == reference_text(data, size));
    free(block);
    return 0;
}
