/* common.h - what the connections of one loop are sent in common within a turn.
 *
 * Most subscribers of a topic are sent exactly the same messages in a turn. So what such a queue holds is kept once,
 * as a node of a tree, and their queues point at it:
 *
 *     nothing --> M1 --> M1 M2 --> M1 M2 M3 <-- queue, queue, queue
 *         |         \--> M1 M4 <-- queue
 *         \-----> M5 <-- queue
 *
 * A node's bytes are one run, so that each of these queues leaves in one plain write. A first message lies where it
 * is, in the shared message; where others follow they are copied together, once for all queues. To deliver is then to
 * step from a node to its child, without allocating, copying, or counting a reference of the message.
 *
 * A queue only has a node while it has nothing else: whatever else is appended, and what the stream does not take,
 * takes the node apart (outq.c), so that a slow peer holds messages and not the tree. Nodes lie in blocks, and go
 * with the last queue that points into their block. All on one thread.
 */
#ifndef SWALE_CONN_COMMON_H
#define SWALE_CONN_COMMON_H

#include "conn/segment.h"

struct swale__common_block;

struct swale__common_node {
    struct swale__segment segment; /* all the bytes; first, so that a queue's head may point at it. Its `shared` and
                                    * `tag` are the last message's */
    struct swale_span frame;       /* of the last message, where that has it */
    struct swale__common_node *before;          /* all but the last message; NULL when it is the only one */
    struct swale__common_node *child, *sibling; /* the latest child; the child of `before` made before this one */
    struct swale__common_block *block;
};

/* Of one loop. Zeroed, and then `allocator` set: empty. */
struct swale__common {
    const struct swale_allocator *allocator;
    struct swale__common_block *block; /* where new nodes go */
    struct swale__common_node *child;  /* the latest of its nodes that begin with nothing */
};

struct swale__common_message {
    struct swale_shared *shared;
    struct swale_span frame; /* a whole frame, which lies in it */
    uintptr_t tag;
};

/* Whether the queue that `child` is the latest child of has to go there for this message: so it is, but for the first
 * queue that gets it. */
static inline bool swale__common_leads_to(const struct swale__common_node *child, const char *frame, uintptr_t tag)
{
    return child && child->frame.data == frame && child->segment.tag == tag;
}

/* A hold on a node for one more queue, which has nothing yet. */
void swale__common_hold(struct swale__common_node *node);

/* The node for a queue that has `node` (NULL: nothing), and now the message too; the queue's hold on `node` passes on
 * to it. NULL when there is none: memory is out, or it would get too long; the hold stays as it was. */
struct swale__common_node *swale__common_step(struct swale__common *common, struct swale__common_node *node,
                                              const struct swale__common_message *message);

/* Gives up a queue's hold. */
void swale__common_release(struct swale__common_node *node);

/* When no queue holds any node. */
void swale__common_done(struct swale__common *common);

#endif
