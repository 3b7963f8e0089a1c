/* blocking.h - the blocking connection with an allocator of the caller's, which must be thread-safe and outlive the
 * socket and its messages. For the tests, which make it fail.
 */
#ifndef SWALE_CLIENT_BLOCKING_H
#define SWALE_CLIENT_BLOCKING_H

#include <swale/blocking.h>

/* As swale_blocking_connect. */
int swale__blocking_connect(struct swale_blocking **socket, const struct swale_allocator *allocator, const char *url,
                            const struct swale_client_options *options, char *message);

#endif
