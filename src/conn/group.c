/* What the connections of one loop share: rules, codecs without context, counters. */
#include "conn/state.h"

/* Above so many messages a second there is no limit; below it, instants times rates fit 64 bits. */
enum { RATE_MAX = 1 << 20 };

static uint32_t deadline(uint32_t limit)
{
    return limit == SWALE_OFF ? 0 : limit;
}

static struct swale_engine_config config_of(const struct swale__conn_group_options *options)
{
    const struct swale_limits *limits = options->limits;
    return (struct swale_engine_config){
        .role = options->role,
        .max_message = limits->max_message,
        .max_fragments = limits->max_fragments,
        .handshake_ms = deadline(limits->handshake_ms),
        .ping_after_ms = deadline(limits->ping_after_ms),
        .gone_after_ms = deadline(limits->gone_after_ms),
        .idle_ms = deadline(limits->idle_ms),
        .close_wait_ms = deadline(limits->close_wait_ms),
        .random = options->random,
        .random_context = options->random_context,
    };
}

int swale__conn_group_new(struct swale__conn_group **group, const struct swale__conn_group_options *options)
{
    struct swale__conn_group *made = swale__alloc_zeroed(options->allocator, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->loop = options->loop;
    made->allocator = options->allocator;
    made->common.allocator = options->allocator;
    made->counters = options->counters;
    made->on_gone = options->on_gone;
    made->on_released = options->on_released;
    made->on_progress = options->on_progress;
    made->first_behind = options->first_behind;
    made->context = options->context;
    made->limits = *options->limits;
    if (made->limits.max_message_rate > RATE_MAX)
        made->limits.max_message_rate = SWALE_OFF;
    made->config = config_of(options);
    made->next_id = options->first_id != 0 ? options->first_id : 1;
    swale__list_init(&made->lingering);
    swale__pool_init(&made->conns, options->allocator, sizeof(struct swale_conn));
    swale__pool_init(&made->busy, options->allocator, sizeof(struct swale__busy));
    *group = made;
    return 0;
}

static void gather(void *list, void *object)
{
    struct swale_conn *conn = object;
    swale__loop_forget(conn->group->loop, &conn->work);
    swale__list_append(list, &conn->work.node);
}

/* One that is gone already waits for the end of a turn that does not come. */
static void destroy(struct swale_conn *conn)
{
    if (conn->stage < SWALE__LINGERING) {
        conn->reason = SWALE_ERR_ABORTED;
        conn->stage = SWALE__FAILED;
        swale__conn_report(conn);
    }
    swale__conn_destroy(conn);
}

void swale__conn_group_free(struct swale__conn_group *group)
{
    if (!group)
        return;
    struct swale__list all;
    struct swale__list *node;
    swale__list_init(&all);
    swale__pool_each(&group->conns, gather, &all);
    while ((node = swale__list_pop(&all)))
        destroy(SWALE__LIST_OWNER(node, struct swale_conn, work.node));
    swale__group_free_ready(group);
    swale__pool_done(&group->conns);
    swale__pool_done(&group->busy);
    swale__terms_forget(group);
    swale__common_done(&group->common);
    if (group->inflater)
        swale_inflater_free(group->inflater);
    for (size_t i = 0; i < SWALE__WINDOWS; i++) {
        if (group->deflaters[i])
            swale_deflater_free(group->deflaters[i]);
    }
    swale__free(group->allocator, group->inflated, SWALE__INFLATE_RUN);
    swale__free(group->allocator, group, sizeof *group);
}

const struct swale_engine_config *swale__conn_group_config(const struct swale__conn_group *group)
{
    return &group->config;
}

size_t swale__conn_group_count(const struct swale__conn_group *group)
{
    return group->count;
}

static void close_one(void *reason, void *object)
{
    int why = *(const int *)reason;
    swale__conn_begin_close(object, swale_error_close_code(why), swale_span(NULL, 0), why);
}

/* Neither this nor aborting calls back, or frees. */
void swale__conn_group_close_all(struct swale__conn_group *group, int reason)
{
    swale__pool_each(&group->conns, close_one, &reason);
}

static void abort_one(void *context, void *object)
{
    (void)context;
    swale_conn_abort(object);
}

void swale__conn_group_abort_all(struct swale__conn_group *group)
{
    swale__pool_each(&group->conns, abort_one, NULL);
}

/* ---- Shared codecs and buffers ---------------------------------------------------------------------- */

struct swale_deflater *swale__group_deflater(struct swale__conn_group *group, int window_bits)
{
    struct swale_deflater **deflater = &group->deflaters[window_bits];
    if (!*deflater && swale_deflater_new(deflater, group->allocator, window_bits, false, 0) < 0)
        *deflater = NULL;
    return *deflater;
}

/* A window of 15 bits inflates what any smaller one has deflated. */
struct swale_inflater *swale__group_lease(struct swale__conn_group *group)
{
    struct swale_inflater *inflater = group->inflater;
    group->inflater = NULL;
    if (!inflater && swale_inflater_new(&inflater, group->allocator, 15, false) < 0)
        return NULL;
    return inflater;
}

void swale__group_return(struct swale__conn_group *group, struct swale_inflater *inflater)
{
    if (group->inflater) {
        swale_inflater_free(inflater);
        return;
    }
    swale_inflater_reset(inflater);
    group->inflater = inflater;
}

char *swale__group_inflated(struct swale__conn_group *group)
{
    if (!group->inflated)
        group->inflated = swale__alloc(group->allocator, SWALE__INFLATE_RUN);
    return group->inflated;
}
