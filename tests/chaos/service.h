/* service.h - the server's application, and what it has seen, on a board that outlives it.
 *
 * A message is "MEMBER NUMBER COPY": who says it, which of his messages it is, and the how-manieth thing he has sent
 * it is. It is written down, and then acknowledged by "NUMBER". A message that comes in another copy (because its
 * sender could not know what had become of the first) is acknowledged again and counts no more.
 *
 * The board is shared memory when servers are processes of their own, so that what a server has seen is not lost by
 * killing it: that is what makes an acknowledgement mean something.
 */
#ifndef SWALE_CHAOS_SERVICE_H
#define SWALE_CHAOS_SERVICE_H

#include <swale/server.h>

enum { MEMBERS = 1000, NUMBERS = 512, COPIES = 2048 };

struct board {
    _Atomic uint16_t port; /* where it listens, once it does */
    bool unavailable;      /* it answers 503 */
    uint32_t retry_after_s;
    bool hanging_up; /* after each message, with 1012 */
    uint64_t refused, odd;
    struct {
        uint8_t counted[NUMBERS]; /* how often this message was taken for a new one */
        uint8_t seen[COPIES];     /* how often this copy came in */
    } members[MEMBERS];
};

/* The service at "/" of this server. */
void service_attach(struct swale_server *server, struct board *board);

#endif
