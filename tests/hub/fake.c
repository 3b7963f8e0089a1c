#include "fake.h"

#include <stdio.h>
#include <stdlib.h>

static struct fake *fake_of(const struct swale_subscriber *subscriber)
{
    return (struct fake *)(uintptr_t)subscriber;
}

static size_t message_size(const struct fake_message *message)
{
    return swale_shared_payload(message->message).size;
}

size_t fake_bytes(const struct fake *fake)
{
    size_t bytes = 0;
    for (size_t i = 0; i < fake->count; i++)
        bytes += message_size(&fake->queue[i]);
    return bytes;
}

static int fake_deliver(struct swale_subscriber *subscriber, struct swale_shared *message, uintptr_t tag)
{
    struct fake *fake = fake_of(subscriber);
    fake->offered++;
    if (fake->on_deliver)
        fake->on_deliver(fake);
    if (fake->refusal)
        return fake->refusal;
    size_t size = swale_shared_payload(message).size;
    if (fake->count == FAKE_QUEUE_MAX || (fake->max_queue && fake_bytes(fake) + size > fake->max_queue))
        return SWALE_ERR_QUEUE_FULL;
    fake->queue[fake->count++] = (struct fake_message){ tag, swale_shared_ref(message) };
    return fake->slow ? SWALE_DELIVERED_LATE : SWALE_DELIVERED;
}

static size_t fake_backlog(const struct swale_subscriber *subscriber)
{
    const struct fake *fake = fake_of(subscriber);
    return fake->slow ? fake_bytes(fake) : 0;
}

static void remove_at(struct fake *fake, size_t place)
{
    swale_shared_unref(fake->queue[place].message);
    fake->count--;
    for (size_t i = place; i < fake->count; i++)
        fake->queue[i] = fake->queue[i + 1];
}

static size_t fake_drop(struct swale_subscriber *subscriber, uintptr_t tag, bool all)
{
    struct fake *fake = fake_of(subscriber);
    size_t dropped = 0;
    for (size_t i = fake->begun; i < fake->count && (all || dropped == 0);) {
        if (fake->queue[i].tag == tag) {
            remove_at(fake, i);
            dropped++;
        } else {
            i++;
        }
    }
    return dropped;
}

static void fake_fail(struct swale_subscriber *subscriber, int reason)
{
    struct fake *fake = fake_of(subscriber);
    fake->failed = reason;
    fake->refusal = SWALE_ERR_CLOSED;
    if (fake->on_fail)
        fake->on_fail(fake);
}

static struct swale_loop *fake_loop(const struct swale_subscriber *subscriber)
{
    return fake_of(subscriber)->loop;
}

static const struct swale_subscriber_ops fake_ops = {
    .deliver = fake_deliver,
    .backlog = fake_backlog,
    .drop = fake_drop,
    .fail = fake_fail,
    .loop = fake_loop,
};

void fake_init(struct fake *fake, struct swale_loop *loop, uint64_t id)
{
    *fake = (struct fake){ .subscriber = { .ops = &fake_ops, .id = id }, .loop = loop };
}

void fake_done(struct fake *fake)
{
    if (fake->subscriber.membership)
        fake->subscriber.membership->leave(fake->subscriber.membership);
    fake->begun = 0;
    fake_read(fake, fake->count);
}

const char *fake_text(const struct fake *fake)
{
    static char text[FAKE_QUEUE_MAX * 4];
    size_t used = 0;
    for (size_t i = 0; i < fake->count; i++) {
        struct swale_span payload = swale_shared_payload(fake->queue[i].message);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i ? " " : "", (int)payload.size,
                                 payload.data);
        if (used >= sizeof text)
            abort();
    }
    text[used] = 0;
    return text;
}

void fake_read(struct fake *fake, size_t n)
{
    for (; n > 0 && fake->count > 0; n--)
        remove_at(fake, 0);
    fake->begun = 0;
}

struct errand {
    void (*task)(void *argument);
    void *argument;
    bool done;
};

static void run_errand(void *argument)
{
    struct errand *errand = argument;
    errand->task(errand->argument);
    errand->done = true;
}

void on_loop(struct swale_loop *loop, void (*task)(void *argument), void *argument)
{
    struct errand errand = { task, argument, false };
    if (swale_loop_post(loop, run_errand, &errand) < 0)
        abort();
    while (!errand.done)
        if (swale_loop_step(loop, 0) < 0)
            abort();
}

struct publication {
    struct swale_hub *hub;
    struct swale_publish publish;
    int result;
};

static void publish_now(void *argument)
{
    struct publication *publication = argument;
    publication->result = swale_hub_publish(publication->hub, &publication->publish);
}

int publish(struct swale_hub *hub, struct swale_loop *loop, const char *topic, const char *text, uint64_t except)
{
    struct publication publication = {
        .hub = hub,
        .publish = { .topic = swale_text(topic), .kind = SWALE_TEXT, .data = swale_text(text), .except = except },
    };
    if (loop)
        on_loop(loop, publish_now, &publication);
    else
        publish_now(&publication);
    return publication.result;
}

int join(struct swale_hub *hub, const char *topic, struct fake *fake)
{
    return swale_hub_join(hub, swale_text(topic), &fake->subscriber);
}

int leave(struct swale_hub *hub, const char *topic, struct fake *fake)
{
    return swale_hub_leave(hub, swale_text(topic), &fake->subscriber);
}

uint64_t accounted(const struct swale_hub *hub)
{
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    return stats.delivered + stats.dropped + stats.closed + stats.failed;
}
