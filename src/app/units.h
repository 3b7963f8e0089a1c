/* units.h - numbers as people write them on a command line. Each returns false, and leaves *out alone, for
 * anything but exactly one such number within range. */
#ifndef SWALE_APP_UNITS_H
#define SWALE_APP_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* "250" */
bool units_count(const char *text, uint64_t *out);

/* "1500", "64k", "1m", "2g": bytes, in powers of 1024. */
bool units_size(const char *text, uint64_t *out);

/* "500ms", "10s", "2m", "1h": milliseconds. The unit is needed, because nobody agrees on which goes without
 * saying. */
bool units_duration(const char *text, uint64_t *out);

#endif
