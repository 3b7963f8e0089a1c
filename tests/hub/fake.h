/* fake.h - subscribers without sockets, and a way onto a loop's thread. */
#ifndef SWALE_TEST_HUB_FAKE_H
#define SWALE_TEST_HUB_FAKE_H

#include <swale/hub.h>

enum { FAKE_QUEUE_MAX = 4096 };

struct fake_message {
    uintptr_t tag;
    struct swale_shared *message;
};

/* Keeps up, and queues without end, unless told otherwise. */
struct fake {
    struct swale_subscriber subscriber;
    struct swale_loop *loop;
    struct fake_message queue[FAKE_QUEUE_MAX];
    size_t count;
    size_t begun;     /* so many at the front have begun to leave */
    bool slow;        /* what is queued counts as backlog */
    size_t max_queue; /* bytes; 0: no limit */
    int refusal;      /* what deliver returns instead of delivering, when not 0 */
    int failed;       /* the reason that fail was given */
    unsigned offered; /* calls of deliver */
    void (*on_deliver)(struct fake *fake);
    void (*on_fail)(struct fake *fake);
    void *context;
};

void fake_init(struct fake *fake, struct swale_loop *loop, uint64_t id);

/* Leaves everything, as a subscriber that goes does, and forgets what is queued. */
void fake_done(struct fake *fake);

/* What is queued, joined: "a b c". Static storage; for short messages. */
const char *fake_text(const struct fake *fake);
size_t fake_bytes(const struct fake *fake);

/* Takes the first n out of the queue, as sent. */
void fake_read(struct fake *fake, size_t n);

/* Runs task(argument) inside a turn of the loop. */
void on_loop(struct swale_loop *loop, void (*task)(void *argument), void *argument);

/* Publishes text: inside a turn of `loop`, or with NULL from outside. */
int publish(struct swale_hub *hub, struct swale_loop *loop, const char *topic, const char *text, uint64_t except);

int join(struct swale_hub *hub, const char *topic, struct fake *fake);
int leave(struct swale_hub *hub, const char *topic, struct fake *fake);

/* delivered + dropped + closed + failed */
uint64_t accounted(const struct swale_hub *hub);

#endif
