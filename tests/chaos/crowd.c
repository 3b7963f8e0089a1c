#include "test.h"

#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>

enum { LONG = 30000 };

/* ---- Talking ------------------------------------------------------------------------------------------- */

/* Two of sixteen say it at length, so that a stalled connection fills up. Whether it was taken. */
static bool say(struct member *member, unsigned number)
{
    static char text[LONG];
    size_t size = member->id % 16 < 2 ? sizeof text : 40;
    struct copy *copy = &member->copies[member->copy_count];
    assert_true(member->copy_count < COPIES);
    memset(text, ' ', size);
    snprintf(text, size, "%u %u %u", member->id, number, member->copy_count);
    text[strlen(text)] = ' ';
    *copy = (struct copy){ .number = (uint16_t)number, .fate = SWALE_FATE_QUEUED };
    int result = swale_client_send(member->client, SWALE_TEXT, text, size, &copy->ticket);
    if (result < 0) { /* refused: that copy does not exist */
        assert_true(result == SWALE_ERR_NOT_CONNECTED || result == SWALE_ERR_QUEUE_FULL ||
                    result == SWALE_ERR_CLOSED);
        return false;
    }
    member->latest[number] = (int)member->copy_count++;
    return true;
}

/* What has no acknowledgement, and is not on its way either. */
static bool wants_another(const struct member *member, unsigned number)
{
    if (member->acknowledged[number])
        return false;
    if (member->latest[number] < 0)
        return true;
    const struct copy *copy = &member->copies[member->latest[number]];
    return copy->fate == SWALE_FATE_UNKNOWN || copy->fate == SWALE_FATE_REFUSED;
}

static void say_again(struct member *member)
{
    for (unsigned number = 0; number < member->numbers; number++)
        if (wants_another(member, number) && !say(member, number))
            return;
}

static void arm(struct member *member)
{
    struct crowd *crowd = member->crowd;
    uint32_t wait = crowd->every_ms / 2 + dice_roll(&crowd->dice, crowd->every_ms);
    swale_timer_start(crowd->loop, &member->timer, swale_loop_now(crowd->loop) + wait);
}

static void on_timer(struct swale_timer *timer)
{
    struct member *member = timer->context;
    if (!member->crowd->talking || member->numbers == NUMBERS)
        return;
    member->latest[member->numbers] = -1;
    say(member, member->numbers++);
    arm(member);
}

/* ---- What a client tells ------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct member *member = swale_client_user(client);
    struct crowd *crowd = member->crowd;
    assert_false(member->open);
    assert_true(opening->first == (member->connections == 0));
    member->open = true;
    member->connections++;
    crowd->open++;
    crowd->opened++;
    if (opening->gap_ms > crowd->longest_gap_ms)
        crowd->longest_gap_ms = opening->gap_ms;
    say_again(member);
}

/* What was refused for want of room. */
static void on_drain(struct swale_client *client)
{
    say_again(swale_client_user(client));
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct member *member = swale_client_user(client);
    char text[16] = "";
    unsigned number;
    assert_true(message->data.size < sizeof text);
    memcpy(text, message->data.data, message->data.size);
    assert_int_equal(sscanf(text, "%u", &number), 1);
    assert_true(number < member->numbers);
    assert_int_equal(member->crowd->board->members[member->id].counted[number], 1);
    member->acknowledged[number] = true;
    member->crowd->acknowledgements++;
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct member *member = swale_client_user(client);
    (void)closing;
    assert_true(member->open);
    member->open = false;
    member->crowd->open--;
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct member *member = swale_client_user(client);
    assert_false(member->open);
    assert_true(failure->reason < 0 && failure->text && failure->text[0]);
    member->failures++;
}

static void on_end(struct swale_client *client, int reason)
{
    struct member *member = swale_client_user(client);
    assert_false(member->over);
    assert_int_equal(reason, SWALE_ERR_LOCAL_CLOSED);
    member->over = true;
}

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    struct member *member = swale_client_user(client);
    struct crowd *crowd = member->crowd;
    if (state != SWALE_CLIENT_CONNECTING)
        return;
    crowd->tries++;
    if (crowd->on_try)
        crowd->on_try(crowd, member);
}

/* Looks on: the policy is the client's own. */
static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    struct member *member = swale_client_user(client);
    if (member->crowd->on_retry)
        member->crowd->on_retry(member->crowd, member, retry);
    return retry->delay_ms;
}

/* A fate goes one way only. */
static void on_fate(struct swale_client *client, uint64_t ticket, enum swale_fate fate)
{
    struct member *member = swale_client_user(client);
    unsigned i = member->copy_count;
    while (i > 0 && member->copies[i - 1].ticket != ticket)
        i--;
    assert_true(i > 0);
    struct copy *copy = &member->copies[i - 1];
    assert_true(copy->fate == SWALE_FATE_QUEUED || (copy->fate == SWALE_FATE_WRITTEN && fate == SWALE_FATE_UNKNOWN));
    assert_true(fate == SWALE_FATE_WRITTEN || fate == SWALE_FATE_UNKNOWN || fate == SWALE_FATE_REFUSED);
    assert_int_equal(swale_client_fate(client, ticket), fate);
    copy->fate = (uint8_t)fate;
}

/* ---- Beginning and end --------------------------------------------------------------------------------- */

static const struct swale_client_handler handler = {
    .on_open = on_open,
    .on_message = on_message,
    .on_drain = on_drain,
    .on_close = on_close,
    .on_fail = on_fail,
    .on_end = on_end,
    .on_state = on_state,
    .on_fate = on_fate,
    .on_retry = on_retry,
};

void crowd_begin(struct crowd *crowd)
{
    crowd->members = calloc(MEMBERS, sizeof *crowd->members);
    assert_non_null(crowd->members);
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct member *member = &crowd->members[i];
        struct swale_client_options options = crowd->options;
        char message[SWALE_CLIENT_MESSAGE_MAX] = "";
        member->id = i;
        member->crowd = crowd;
        member->timer = (struct swale_timer){ .fire = on_timer, .context = member };
        options.handler = &handler;
        options.user = member;
        options.max_pending = i % 2 ? 1 << 20 : 0;
        if (crowd->other_url && i % 4 >= 2)
            options.url = crowd->other_url;
        if (swale_client_new(&member->client, crowd->loop, &options, message) != 0)
            fail_msg("%s", message);
        if (crowd->talking)
            arm(member);
    }
}

static bool heard_of_all(const struct member *member)
{
    for (unsigned number = 0; number < member->numbers; number++)
        if (!member->acknowledged[number])
            return false;
    return true;
}

bool crowd_content(const struct crowd *crowd)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (!crowd->members[i].open || !heard_of_all(&crowd->members[i]))
            return false;
    return true;
}

void crowd_close(struct crowd *crowd)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        swale_timer_stop(crowd->loop, &crowd->members[i].timer);
        assert_int_equal(swale_client_close(crowd->members[i].client, 1000, NULL), 0);
    }
}

bool crowd_over(const struct crowd *crowd)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (!crowd->members[i].over)
            return false;
    return true;
}

void crowd_free(struct crowd *crowd)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        swale_timer_stop(crowd->loop, &crowd->members[i].timer);
        swale_client_free(crowd->members[i].client);
    }
    free(crowd->members);
}

/* ---- The books and the board --------------------------------------------------------------------------- */

struct sums {
    unsigned messages, copies, written, unknown, arrived, refused;
};

/* Never more than once, whatever its fate: nothing is sent twice. Never, if it was refused. Always, if it was written
 * to the last connection, which we have closed ourselves. */
static void judge_copy(const struct copy *copy, unsigned seen, struct sums *sums)
{
    assert_true(seen <= 1);
    switch (copy->fate) {
    case SWALE_FATE_WRITTEN:
        sums->written++;
        assert_int_equal(seen, 1);
        break;
    case SWALE_FATE_UNKNOWN:
        sums->unknown++;
        sums->arrived += seen;
        break;
    case SWALE_FATE_REFUSED:
        sums->refused++;
        assert_int_equal(seen, 0);
        break;
    default:
        fail_msg("a message has no fate");
    }
}

void crowd_judge(const struct crowd *crowd)
{
    struct sums sums = { 0 };
    assert_int_equal(crowd->board->odd, 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct member *member = &crowd->members[i];
        for (unsigned number = 0; number < NUMBERS; number++) { /* none lost, none that nobody said */
            assert_int_equal(crowd->board->members[i].counted[number], number < member->numbers);
            assert_int_equal(member->acknowledged[number], number < member->numbers);
        }
        for (unsigned copy = 0; copy < member->copy_count; copy++)
            judge_copy(&member->copies[copy], crowd->board->members[i].seen[copy], &sums);
        for (unsigned copy = member->copy_count; copy < COPIES; copy++)
            assert_int_equal(crowd->board->members[i].seen[copy], 0);
        sums.messages += member->numbers;
        sums.copies += member->copy_count;
    }
    assert_true(sums.messages > 0);
    print_message("%u messages in %u copies: %u written, %u unknown (%u of them had arrived), %u refused; %llu "
                  "tries, %llu connections, longest gap %llu ms\n",
                  sums.messages, sums.copies, sums.written, sums.unknown, sums.arrived, sums.refused,
                  (unsigned long long)crowd->tries, (unsigned long long)crowd->opened,
                  (unsigned long long)crowd->longest_gap_ms);
}
