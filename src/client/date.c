/* date.c - dates as HTTP writes them (RFC 6265 section 5.1.1, RFC 9110 section 5.6.7), and Retry-After. */
#include "client/date.h"

#include "proto/head.h"
#include "proto/token.h"

/* The parts of a date, each of which the first token of its form gives. */
struct date {
    bool has_time, has_day, has_month, has_year;
    unsigned hour, minute, second;
    unsigned day, month, year; /* month from 1 */
};

static bool delimiter(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
           (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

/* A number of `least` to `most` digits at the front, which no further digit follows. Moves *at past it. */
static bool take_number(struct swale_span text, size_t *at, size_t least, size_t most, unsigned *number)
{
    struct swale_span rest = swale__slice(text, *at, text.size);
    size_t length = swale__run(rest.data, rest.size, SWALE__DIGIT);
    if (length < least || length > most)
        return false;
    *number = 0;
    for (size_t i = 0; i < length; i++)
        *number = *number * 10 + (unsigned)(rest.data[i] - '0');
    *at += length;
    return true;
}

static bool take_colon(struct swale_span text, size_t *at)
{
    bool there = *at < text.size && text.data[*at] == ':';
    *at += there;
    return there;
}

/* "8:49:37". What no digit begins may follow each of the forms. */
static bool read_time(struct date *date, struct swale_span token)
{
    struct date found = *date;
    size_t at = 0;
    if (!take_number(token, &at, 1, 2, &found.hour) || !take_colon(token, &at) ||
        !take_number(token, &at, 1, 2, &found.minute) || !take_colon(token, &at) ||
        !take_number(token, &at, 1, 2, &found.second))
        return false;
    *date = found;
    return date->has_time = true;
}

static bool read_day(struct date *date, struct swale_span token)
{
    size_t at = 0;
    return date->has_day = take_number(token, &at, 1, 2, &date->day);
}

static bool read_month(struct date *date, struct swale_span token)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (token.size < 3)
        return false;
    for (unsigned i = 0; i < 12; i++) {
        const char *name = names + 3 * (size_t)i;
        if (swale__lower(token.data[0]) == name[0] && swale__lower(token.data[1]) == name[1] &&
            swale__lower(token.data[2]) == name[2]) {
            date->month = i + 1;
            return date->has_month = true;
        }
    }
    return false;
}

static bool read_year(struct date *date, struct swale_span token)
{
    size_t at = 0;
    if (!take_number(token, &at, 2, 4, &date->year))
        return false;
    if (date->year < 70)
        date->year += 2000;
    else if (date->year < 100)
        date->year += 1900;
    return date->has_year = true;
}

static void read_token(struct date *date, struct swale_span token)
{
    if (!date->has_time && read_time(date, token))
        return;
    if (!date->has_day && read_day(date, token))
        return;
    if (!date->has_month && read_month(date, token))
        return;
    if (!date->has_year)
        read_year(date, token);
}

static bool leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool valid(const struct date *date)
{
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (!date->has_time || !date->has_day || !date->has_month || !date->has_year)
        return false;
    unsigned last = date->month == 2 && leap(date->year) ? 29 : days[date->month - 1];
    return date->year >= 1601 && date->day >= 1 && date->day <= last && date->hour <= 23 && date->minute <= 59 &&
           date->second <= 60; /* a leap second (RFC 9110) */
}

/* Days of the proleptic Gregorian calendar from 1970-01-01, counting years from March. */
static int64_t days_of(const struct date *date)
{
    int64_t year = (int64_t)date->year - (date->month <= 2);
    int64_t month = ((int64_t)date->month + 9) % 12;
    int64_t leaps = year / 4 - year / 100 + year / 400;
    return year * 365 + leaps + (month * 153 + 2) / 5 + date->day - 1 - 719468;
}

bool swale__date_parse(struct swale_span text, int64_t *seconds)
{
    struct date date = { .has_time = false };
    for (size_t i = 0; i < text.size;) {
        size_t begin = i;
        while (i < text.size && !delimiter(text.data[i]))
            i++;
        if (i > begin)
            read_token(&date, swale__slice(text, begin, i));
        else
            i++;
    }
    if (!valid(&date))
        return false;
    *seconds = days_of(&date) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
    return true;
}

/* ---- Retry-After ------------------------------------------------------------------------------------ */

/* More than a century counts as a century. */
static int64_t parse_seconds(struct swale_span digits)
{
    enum { CENTURY = INT32_MAX };
    int64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        value = value * 10 + (digits.data[i] - '0');
        if (value > CENTURY)
            return CENTURY;
    }
    return value;
}

int64_t swale__retry_after(const struct swale_field *fields, uint32_t count, int64_t now)
{
    struct swale_span value;
    int64_t date;
    if (swale__field_single(fields, count, "retry-after", &value) != 1)
        return -1;
    if (swale__all(value, SWALE__DIGIT))
        return parse_seconds(value) * 1000;
    if (!swale__date_parse(value, &date))
        return -1;
    return date > now ? (date - now) * 1000 : 0;
}
