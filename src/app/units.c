#include "app/units.h"

#include <stddef.h>
#include <string.h>

/* Reads decimal digits; returns what follows them, or NULL when there are none or they exceed 64 bits. */
static const char *read_digits(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    if (at == text)
        return NULL;
    *out = value;
    return at;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool read_with_unit(const char *text, const struct unit *units, size_t count, uint64_t *out)
{
    uint64_t value;
    const char *suffix = read_digits(text, &value);
    if (!suffix)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(suffix, units[i].name) != 0)
            continue;
        if (value > UINT64_MAX / units[i].factor)
            return false;
        *out = value * units[i].factor;
        return true;
    }
    return false;
}

bool units_count(const char *text, uint64_t *out)
{
    static const struct unit units[] = { { "", 1 } };
    return read_with_unit(text, units, sizeof units / sizeof units[0], out);
}

bool units_size(const char *text, uint64_t *out)
{
    static const struct unit units[] = {
        { "", 1 },
        { "k", 1024 },
        { "K", 1024 },
        { "m", 1024 * 1024 },
        { "M", 1024 * 1024 },
        { "g", 1024 * 1024 * 1024 },
        { "G", 1024 * 1024 * 1024 },
    };
    return read_with_unit(text, units, sizeof units / sizeof units[0], out);
}

bool units_duration(const char *text, uint64_t *out)
{
    static const struct unit units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 60 * 60 * 1000 } };
    return read_with_unit(text, units, sizeof units / sizeof units[0], out);
}
