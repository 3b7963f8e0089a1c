/* registry.c - the topics of a hub by name, shared by all shards.
 *
 * Whoever looks a topic up takes its lock before the registry's is let go, and whoever removes a topic holds
 * both: so nobody can hold a topic that is being freed, and no references are counted. */
#include "hub/hub.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <errno.h>

/* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F. */
static bool has_control(struct swale_span name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return true;
        if (byte == 0xc2 && i + 1 < name.size && (unsigned char)name.data[i + 1] < 0xa0)
            return true;
    }
    return false;
}

static bool is_text(struct swale_span name)
{
    uint32_t state = SWALE__UTF8_BOUNDARY;
    return swale__utf8_feed(&state, name.data, name.size) && state == SWALE__UTF8_BOUNDARY;
}

int swale_hub_check(const struct swale_hub *hub, struct swale_span name)
{
    if (name.size == 0 || name.size > hub->options.max_topic_name)
        return SWALE_ERR_TOPIC;
    return is_text(name) && !has_control(name) ? 0 : SWALE_ERR_TOPIC;
}

/* ---- With the registry's lock held ------------------------------------------------------------------ */

static void topic_free(struct swale__topic *topic)
{
    pthread_mutex_destroy(&topic->lock);
    swale__free(topic->hub->allocator, topic, sizeof *topic + topic->name.size);
}

static struct swale__topic *topic_new(struct swale_hub *hub, struct swale_span name)
{
    struct swale__topic *topic = swale__alloc_zeroed(hub->allocator, sizeof *topic + name.size);
    if (!topic)
        return NULL;
    memcpy(topic->text, name.data, name.size);
    topic->hub = hub;
    topic->name = swale_span(topic->text, name.size);
    atomic_init(&topic->policy, (int)hub->options.policy);
    atomic_init(&topic->backlog, hub->options.backlog);
    pthread_mutex_init(&topic->lock, NULL);
    swale__list_init(&topic->locals);
    if (swale__map_put(&hub->topics, topic->name, topic) < 0) {
        topic_free(topic);
        return NULL;
    }
    return topic;
}

static struct swale__topic *find_or_make(struct swale_hub *hub, struct swale_span name)
{
    struct swale__topic *topic = swale__map_get(&hub->topics, name);
    return topic ? topic : topic_new(hub, name);
}

/* ---- Taking it -------------------------------------------------------------------------------------- */

int swale__topic_configure(struct swale_hub *hub, struct swale_span name, enum swale_slow_policy policy,
                           uint64_t backlog)
{
    pthread_mutex_lock(&hub->lock);
    struct swale__topic *topic = find_or_make(hub, name);
    if (topic) {
        topic->configured = true;
        atomic_store_explicit(&topic->policy, (int)policy, memory_order_relaxed);
        atomic_store_explicit(&topic->backlog, backlog, memory_order_relaxed);
    }
    pthread_mutex_unlock(&hub->lock);
    return topic ? 0 : -ENOMEM;
}

int swale__topic_enter(struct swale_hub *hub, struct swale_span name, struct swale__local *local)
{
    pthread_mutex_lock(&hub->lock);
    struct swale__topic *topic = find_or_make(hub, name);
    if (topic) {
        pthread_mutex_lock(&topic->lock);
        swale__list_append(&topic->locals, &local->in_topic);
        pthread_mutex_unlock(&topic->lock);
        local->topic = topic;
    }
    pthread_mutex_unlock(&hub->lock);
    return topic ? 0 : -ENOMEM;
}

void swale__topic_leave(struct swale__local *local)
{
    struct swale__topic *topic = local->topic;
    struct swale_hub *hub = topic->hub;
    pthread_mutex_lock(&hub->lock);
    pthread_mutex_lock(&topic->lock);
    swale__list_remove(&local->in_topic);
    bool useless = swale__list_empty(&topic->locals) && !topic->configured;
    pthread_mutex_unlock(&topic->lock);
    if (useless) {
        swale__map_remove(&hub->topics, topic->name);
        topic_free(topic);
    }
    pthread_mutex_unlock(&hub->lock);
}

/* To look at a hub's registry is not to change the hub, but takes its lock. */
static pthread_mutex_t *registry_lock(const struct swale_hub *hub)
{
    return (pthread_mutex_t *)&hub->lock;
}

struct swale__topic *swale__topic_lock(const struct swale_hub *hub, struct swale_span name)
{
    pthread_mutex_lock(registry_lock(hub));
    struct swale__topic *topic = swale__map_get(&hub->topics, name);
    if (topic)
        pthread_mutex_lock(&topic->lock);
    pthread_mutex_unlock(registry_lock(hub));
    return topic;
}

void swale__topic_unlock(struct swale__topic *topic)
{
    pthread_mutex_unlock(&topic->lock);
}

size_t swale__topics_count(const struct swale_hub *hub)
{
    pthread_mutex_lock(registry_lock(hub));
    size_t count = swale__map_count(&hub->topics);
    pthread_mutex_unlock(registry_lock(hub));
    return count;
}

void swale__topics_free(struct swale_hub *hub)
{
    size_t cursor = 0;
    for (struct swale__topic *topic; (topic = swale__map_next(&hub->topics, &cursor)) != NULL;)
        topic_free(topic);
    swale__map_done(&hub->topics);
}
