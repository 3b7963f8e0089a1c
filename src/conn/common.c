/* See common.h. */
#include "conn/common.h"

#include "base/memory.h"

enum {
    NODES = 512,
    BYTES = 131072,
    /* When so much is in use, or of messages is referred to, what begins with nothing begins in a new block: there is
     * room for what is to follow, and a write that hangs in flight holds no more than that, and one message. */
    ENOUGH = BYTES / 2,
    /* A message has as many frames as there are window sizes of compression, and the plain one: no more children of a
     * node can be of one message. */
    SIBLINGS_MAX = 8
};

struct swale__common_block {
    struct swale__common *common; /* whose present block it is; NULL when another is */
    const struct swale_allocator *allocator;
    size_t holds; /* queues, or segments, that point at its nodes */
    size_t node_count, used;
    size_t referred; /* bytes of the messages */
    struct swale__common_node nodes[NODES];
    char bytes[BYTES];
};

/* ---- Blocks ----------------------------------------------------------------------------------------- */

static void forget_nodes(struct swale__common_block *block)
{
    for (size_t i = 0; i < block->node_count; i++)
        swale_shared_unref(block->nodes[i].segment.shared);
    if (block->common)
        block->common->child = NULL;
    block->node_count = 0;
    block->used = 0;
    block->referred = 0;
}

static void free_block(struct swale__common_block *block)
{
    swale__free(block->allocator, block, sizeof *block);
}

static struct swale__common_block *make_block(struct swale__common *common)
{
    struct swale__common_block *block = swale__alloc(common->allocator, sizeof *block);
    if (!block)
        return NULL;
    block->common = common;
    block->allocator = common->allocator;
    block->holds = 0;
    block->node_count = 0;
    block->used = 0;
    block->referred = 0;
    if (common->block)
        common->block->common = NULL; /* it is held, or there would be nothing in it */
    common->block = block;
    common->child = NULL;
    return block;
}

void swale__common_hold(struct swale__common_node *node)
{
    node->block->holds++;
}

void swale__common_release(struct swale__common_node *node)
{
    struct swale__common_block *block = node->block;
    if (--block->holds > 0)
        return;
    forget_nodes(block);
    if (!block->common)
        free_block(block);
}

void swale__common_done(struct swale__common *common)
{
    if (common->block)
        free_block(common->block);
    common->block = NULL;
    common->child = NULL;
}

/* ---- Nodes ------------------------------------------------------------------------------------------ */

static struct swale__common_node *find_child(struct swale__common_node *child,
                                             const struct swale__common_message *message)
{
    for (int i = 0; child && i < SIBLINGS_MAX; i++, child = child->sibling)
        if (swale__common_leads_to(child, message->frame.data, message->tag))
            return child;
    return NULL;
}

/* Puts the frame behind the node's bytes, which stay where they are if there is nothing behind them yet. NULL when
 * there is no room. */
static char *join_bytes(struct swale__common_block *block, const struct swale__common_node *node,
                        struct swale_span frame)
{
    const struct swale__segment *before = &node->segment;
    char *end = block->bytes + block->used;
    bool in_place = before->data + before->size == end;
    size_t more = (in_place ? 0 : before->size) + frame.size;
    if (before->size > BYTES || frame.size > BYTES || more > BYTES - block->used)
        return NULL;
    block->used += more;
    if (in_place) {
        memcpy(end, frame.data, frame.size);
        return before->data;
    }
    memcpy(end, before->data, before->size);
    memcpy(end + before->size, frame.data, frame.size);
    return end;
}

static struct swale__common_node *add_node(struct swale__common_block *block, struct swale__common_node *before,
                                           const struct swale__common_message *message)
{
    struct swale__common_node **children = before ? &before->child : &block->common->child;
    char *data = before ? join_bytes(block, before, message->frame) : (char *)message->frame.data;
    if (!data)
        return NULL;
    struct swale__common_node *node = &block->nodes[block->node_count++];
    *node = (struct swale__common_node){
        .segment = { .data = data, /* never written to */
                     .size = message->frame.size + (before ? before->segment.size : 0),
                     .shared = swale_shared_ref(message->shared),
                     .tag = message->tag,
                     .flags = SWALE__STARTS_FRAME | SWALE__COMMON },
        .frame = message->frame,
        .before = before,
        .sibling = *children,
        .block = block,
    };
    *children = node;
    block->referred += message->frame.size;
    return node;
}

static bool is_full(const struct swale__common_block *block)
{
    return block->node_count == NODES || block->used > ENOUGH || block->referred > ENOUGH;
}

/* A message that comes first. */
static struct swale__common_node *begin(struct swale__common *common, const struct swale__common_message *message)
{
    struct swale__common_block *block = common->block;
    struct swale__common_node *node = find_child(common->child, message);
    if (!node) {
        if (!block || is_full(block))
            block = make_block(common);
        if (!block)
            return NULL;
        node = add_node(block, NULL, message);
    }
    swale__common_hold(node);
    return node;
}

struct swale__common_node *swale__common_step(struct swale__common *common, struct swale__common_node *node,
                                              const struct swale__common_message *message)
{
    if (!node)
        return begin(common, message);
    struct swale__common_node *child = find_child(node->child, message);
    if (child || node->block->node_count == NODES)
        return child;
    return add_node(node->block, node, message);
}
