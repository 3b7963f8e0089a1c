/* json.h - JSON laid out for reading. Only white space changes: numbers, strings and the order of members stay byte
 * for byte as they came, which decoding and encoding could not promise. */
#ifndef SWALE_APP_CONNECT_JSON_H
#define SWALE_APP_CONNECT_JSON_H

#include "app/buffer.h"

/* Puts the text laid out and returns true; or returns false, and puts nothing, when it is not JSON, or too deep. */
bool json_pretty(struct swale_span text, struct buffer *out);

#endif
