#include "proto/writer.h"

#include "proto/token.h"

void swale__put(struct swale__writer *writer, struct swale_span text)
{
    if (text.size > 0 && writer->size <= writer->capacity && text.size <= writer->capacity - writer->size)
        memcpy(writer->out + writer->size, text.data, text.size);
    writer->size += text.size;
}

void swale__put_text(struct swale__writer *writer, const char *text)
{
    swale__put(writer, swale_text(text));
}

void swale__put_number(struct swale__writer *writer, uint64_t number)
{
    char digits[20]; /* of UINT64_MAX */
    size_t begin = sizeof digits;
    do {
        digits[--begin] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    swale__put(writer, swale_span(digits + begin, sizeof digits - begin));
}

void swale__put_field(struct swale__writer *writer, const char *name, struct swale_span value)
{
    struct swale_field field = { .name = swale_text(name), .value = value };
    swale__put_fields(writer, &field, 1);
}

void swale__put_fields(struct swale__writer *writer, const struct swale_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        swale__put(writer, fields[i].name);
        swale__put_text(writer, ": ");
        swale__put(writer, fields[i].value);
        swale__put_text(writer, "\r\n");
    }
}

ptrdiff_t swale__writer_end(const struct swale__writer *writer)
{
    return writer->size <= writer->capacity ? (ptrdiff_t)writer->size : SWALE_ERR_TOO_SMALL;
}

static bool named_in(struct swale_span name, const char *const *names)
{
    for (; *names; names++)
        if (swale_name_equal(name, *names))
            return true;
    return false;
}

bool swale__fields_writable(const struct swale_field *fields, size_t count, const char *const *reserved)
{
    for (size_t i = 0; i < count; i++) {
        struct swale_span value = fields[i].value;
        if (!swale__all(fields[i].name, SWALE__TOKEN) || named_in(fields[i].name, reserved))
            return false;
        if (swale__run(value.data, value.size, SWALE__VALUE) < value.size)
            return false;
    }
    return true;
}
