/* mime.h - the content type of a file, by its suffix. */
#ifndef SWALE_SERVER_MIME_H
#define SWALE_SERVER_MIME_H

#include <swale/base.h>

/* "application/octet-stream" for a suffix that is not known, and for none. */
const char *swale__mime_type(struct swale_span name);

#endif
