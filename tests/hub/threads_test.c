/* threads_test.c - loops on threads of their own, all joining, leaving and publishing, and two threads that
 * only publish. Each subscriber checks that what comes from one publisher comes in its order; at the end every
 * delivery is accounted for. Meant for the thread sanitizer as much as for itself. */
#include "test.h"

#include "fake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { LOOPS = 3, SUBSCRIBERS = 4, PUBLISHERS = LOOPS + 2, TOPICS = 3, ROUNDS = 400 };

static struct swale_hub *hub;
static _Atomic unsigned busy; /* threads that still publish */

struct subscriber {
    struct fake fake;
    unsigned last[PUBLISHERS][TOPICS];
    uint64_t received;
};

struct member_loop {
    struct swale_loop *loop;
    pthread_t thread;
    unsigned publisher, rounds;
    uint64_t random_state;
    unsigned numbers[TOPICS];
    struct subscriber subscribers[SUBSCRIBERS];
};

struct note {
    unsigned publisher, topic, number;
};

static struct member_loop members[LOOPS];

static unsigned choose(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

static struct swale_span topic_name(unsigned topic)
{
    static const char names[] = "abc";
    return swale_span(names + topic, 1);
}

static void publish_next(unsigned publisher, unsigned topic, unsigned *numbers)
{
    struct note note = { publisher, topic, ++numbers[topic] };
    struct swale_publish publish = { .topic = topic_name(topic),
                                     .kind = SWALE_BINARY,
                                     .data = swale_span(&note, sizeof note) };
    assert_true(swale_hub_publish(hub, &publish) >= 0);
}

/* Reads all that is queued, and checks its order. */
static void check(struct subscriber *subscriber)
{
    for (size_t i = 0; i < subscriber->fake.count; i++) {
        struct note note;
        memcpy(&note, swale_shared_payload(subscriber->fake.queue[i].message).data, sizeof note);
        unsigned *last = &subscriber->last[note.publisher][note.topic];
        assert_true(note.number > *last);
        *last = note.number;
        subscriber->received++;
    }
    fake_read(&subscriber->fake, subscriber->fake.count);
}

static void move_about(struct member_loop *member)
{
    struct subscriber *subscriber = &member->subscribers[choose(&member->random_state, SUBSCRIBERS)];
    struct swale_span topic = topic_name(choose(&member->random_state, TOPICS));
    if (choose(&member->random_state, 3))
        assert_true(swale_hub_join(hub, topic, &subscriber->fake.subscriber) >= 0);
    else
        assert_true(swale_hub_leave(hub, topic, &subscriber->fake.subscriber) >= 0);
}

static void stop_all(void)
{
    for (int n = 0; n < LOOPS; n++)
        swale_loop_stop(members[n].loop);
}

static void end_round(struct member_loop *member);

static void play_round(void *argument)
{
    struct member_loop *member = argument;
    move_about(member);
    for (unsigned i = choose(&member->random_state, 4); i > 0; i--)
        publish_next(member->publisher, choose(&member->random_state, TOPICS), member->numbers);
    for (int i = 0; i < SUBSCRIBERS; i++)
        check(&member->subscribers[i]);
    end_round(member);
}

static void end_round(struct member_loop *member)
{
    if (++member->rounds < ROUNDS)
        assert_int_equal(swale_loop_post(member->loop, play_round, member), 0);
    else if (atomic_fetch_sub(&busy, 1) == 1)
        stop_all();
}

static void *run_loop(void *argument)
{
    struct member_loop *member = argument;
    assert_int_equal(swale_loop_run(member->loop), 0);
    return NULL;
}

static void *only_publish(void *argument)
{
    unsigned publisher = *(const unsigned *)argument;
    unsigned numbers[TOPICS] = { 0 };
    uint64_t random_state = publisher;
    for (int i = 0; i < ROUNDS; i++) {
        publish_next(publisher, choose(&random_state, TOPICS), numbers);
        assert_true(swale_hub_subscribers(hub, topic_name(0)) <= (size_t)LOOPS * SUBSCRIBERS);
        struct swale_hub_stats stats;
        swale_hub_stats(hub, &stats);
    }
    if (atomic_fetch_sub(&busy, 1) == 1)
        stop_all();
    return NULL;
}

static void start_loop(unsigned n)
{
    struct member_loop *member = &members[n];
    member->publisher = n;
    member->random_state = n + 1;
    assert_int_equal(swale_loop_new(&member->loop, NULL), 0);
    assert_int_equal(swale_hub_attach(hub, member->loop), 0);
    for (unsigned i = 0; i < SUBSCRIBERS; i++)
        fake_init(&member->subscribers[i].fake, member->loop, 1 + n * SUBSCRIBERS + i);
    assert_int_equal(swale_loop_post(member->loop, play_round, member), 0);
}

/* What was still in inboxes when the loops stopped. */
static uint64_t finish_loop(unsigned n)
{
    struct member_loop *member = &members[n];
    uint64_t received = 0;
    while (swale_loop_step(member->loop, 0) > 0)
        ;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        check(&member->subscribers[i]);
        received += member->subscribers[i].received;
        fake_done(&member->subscribers[i].fake);
    }
    return received;
}

static void accounts_for_everything_across_threads(void **state)
{
    (void)state;
    static const unsigned foreign[] = { LOOPS, LOOPS + 1 };
    pthread_t publishers[COUNT_OF(foreign)];
    assert_int_equal(swale_hub_new(&hub, NULL), 0);
    atomic_init(&busy, PUBLISHERS);
    for (unsigned n = 0; n < LOOPS; n++)
        start_loop(n);
    for (unsigned n = 0; n < LOOPS; n++)
        assert_int_equal(pthread_create(&members[n].thread, NULL, run_loop, &members[n]), 0);
    for (size_t n = 0; n < COUNT_OF(foreign); n++)
        assert_int_equal(pthread_create(&publishers[n], NULL, only_publish, (void *)(uintptr_t)&foreign[n]), 0);
    for (size_t n = 0; n < COUNT_OF(foreign); n++)
        pthread_join(publishers[n], NULL);
    for (unsigned n = 0; n < LOOPS; n++)
        pthread_join(members[n].thread, NULL);

    uint64_t received = 0;
    for (unsigned n = 0; n < LOOPS; n++)
        received += finish_loop(n);
    struct swale_hub_stats stats;
    swale_hub_stats(hub, &stats);
    assert_true(received > 0);
    assert_int_equal(stats.delivered, received);
    assert_int_equal(stats.dropped + stats.closed + stats.failed, 0);
    assert_int_equal(stats.subscriptions, 0);
    assert_int_equal(stats.topics, 0);
    swale_hub_free(hub);
    for (unsigned n = 0; n < LOOPS; n++)
        swale_loop_free(members[n].loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(accounts_for_everything_across_threads) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
