/* retry.h - whether to come back, and when: the default policy of struct swale_reconnect. Pure. */
#ifndef SWALE_CLIENT_RETRY_H
#define SWALE_CLIENT_RETRY_H

#include <swale/client.h>

/* Milliseconds, or SWALE_CLIENT_STOP. `policy` has its defaults in place; retry->delay_ms is not read. `gap_ms` is
 * how long there has been no connection; `random` has 64 bits. */
int64_t swale__retry_delay(const struct swale_reconnect *policy, const struct swale_client_retry *retry,
                           uint64_t gap_ms, uint64_t random);

/* The longest that backoff makes try `failures` + 1 wait. */
uint32_t swale__retry_cap(const struct swale_reconnect *policy, uint32_t failures);

#endif
