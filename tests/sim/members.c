/* members.c - the clients: each says something now and then, and comes back for as long as it may. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

static struct member *member_of(struct swale_client *client)
{
    return swale_client_user(client);
}

static uint64_t now_of(const struct member *member)
{
    return host_now(member->host);
}

/* ---- Saying something ---------------------------------------------------------------------------------------- */

static struct message *next_message(struct member *member)
{
    if (member->count == member->room) {
        member->room = member->room ? 2 * member->room : 16;
        member->messages = realloc(member->messages, member->room * sizeof *member->messages);
        if (!member->messages)
            abort();
    }
    return &member->messages[member->count];
}

/* What waits is bounded, but for what a dropped connection has left: then nothing is added. */
static void judge_pending(struct member *member, size_t before, bool taken)
{
    struct sim *sim = member->sim;
    size_t pending = swale_client_pending(member->client);
    uint64_t most = member->pending ? sim->plan.max_pending : 0;
    claim(sim, "pending", pending <= before || (taken && pending <= most));
}

/* Whether it was taken, and there is room for more. */
static bool say(struct member *member)
{
    char bytes[PAYLOAD_MAX];
    struct sim *sim = member->sim;
    struct message *message = next_message(member);
    size_t before = swale_client_pending(member->client);
    uint64_t number;
    uint32_t most = sim_roll(sim, 8) == 0 ? sim->plan.size_max : 64;
    struct letter letter = { .what = 'm',
                             .member = (uint16_t)member->id,
                             .number = member->count,
                             .size = LETTER_SIZE + sim_roll(sim, most - LETTER_SIZE + 1) };
    letter_write(bytes, &letter);
    *message = (struct message){ .size = letter.size, .fate = SWALE_FATE_QUEUED };
    int result = swale_client_send(member->client, SWALE_BINARY, bytes, letter.size, &number);
    judge_pending(member, before, result >= 0);
    if (result < 0 && !(sim->sabotage == SABOTAGE_CARELESS && sim_lacks_memory(sim, result))) {
        claim(sim, "errors",
              result == SWALE_ERR_NOT_CONNECTED || result == SWALE_ERR_QUEUE_FULL || result == SWALE_ERR_CLOSED ||
                  sim_lacks_memory(sim, result));
        claim(sim, "errors", number == 0 && (result != SWALE_ERR_NOT_CONNECTED || !member->pending));
        member->full |= result == SWALE_ERR_QUEUE_FULL;
        return false;
    }
    claim(sim, "fates", number == member->count - member->first + 1);
    member->count++;
    member->full |= result == SWALE_FULL;
    if (sim->words > 0)
        sim->words--;
    return result == 0;
}

static void resume(struct member *member)
{
    if (!member->open || member->resumed_ms != UINT64_MAX)
        return;
    member->resumed_ms = now_of(member);
    swale_conn_resume(swale_client_conn(member->client));
}

static void arm(struct member *member)
{
    uint64_t wait = 1 + sim_roll(member->sim, 2 * member->sim->plan.talk_ms);
    swale_timer_start(member->host->loop.loop, &member->timer, now_of(member) + wait);
}

static void on_timer(struct swale_timer *timer)
{
    struct member *member = timer->context;
    struct sim *sim = member->sim;
    if (!sim->talking || sim_roll(sim, 3) == 0)
        resume(member);
    uint32_t burst = sim_roll(sim, 16) == 0 ? 20 : 1 + sim_roll(sim, 3);
    while (sim->talking && sim->words > 0 && burst-- > 0 && !member->closing && say(member))
        continue;
    arm(member);
}

/* ---- What it is told ----------------------------------------------------------------------------------------- */

static void on_open(struct swale_client *client, const struct swale_client_opening *opening)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    struct swale_peer peer = { .port = 0 };
    claim(sim, "pairing", !member->open && !member->over && member->client == client);
    claim(sim, "pairing", opening->first == (member->connections == 0) && opening->tries > 0);
    swale_conn_peer(swale_client_conn(client), &peer);
    struct book *book = book_of(sim, peer.port);
    claim(sim, "pairing", !book->client_open && (!book->life || book->member == member->id));
    sim_note(sim, "open", peer.port, member->id);
    while (member->floor < member->count && member->messages[member->floor].fate != SWALE_FATE_QUEUED)
        member->floor++;
    book->client_open = true;
    book->next = member->floor;
    member->port = peer.port;
    member->open = true;
    member->probing = false;
    member->resumed_ms = now_of(member);
    member->connections++;
    sim->connections++;
    if (sim->talking && sim->words > 0 && !member->closing)
        say(member);
}

static void on_message(struct swale_client *client, const struct swale_message *message)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    struct letter letter = { 0 };
    claim(sim, "pairing", member->open && (!member->closing || member->finishing || member->behind));
    claim(sim, "content", letter_read(&letter, message->data) && (letter.what == 'a' || letter.what == 't'));
    if (sim->broken)
        return;
    sim_note(sim, letter.what == 'a' ? "answer" : "topic", member->port, letter.number);
    if (letter.what == 'a')
        books_acknowledged(sim, member, &letter);
    else
        books_heard(sim, member, &letter);
    if (sim_has(sim, PAUSES) && sim->talking && sim_roll(sim, 60) == 0 && member->resumed_ms != UINT64_MAX) {
        member->resumed_ms = UINT64_MAX;
        swale_conn_pause(swale_client_conn(client));
    }
}

static void on_drain(struct swale_client *client)
{
    struct member *member = member_of(client);
    claim(member->sim, "pairing", member->open);
    member->full = false;
}

static void judge_heartbeat(struct sim *sim, const struct member *member)
{
    const struct network_link *link = network_find(&sim->network, member->port);
    uint32_t wait = member->probing ? 100 : sim->plan.client.ping_after_ms + sim->plan.client.gone_after_ms;
    claim(sim, "valid", link != NULL);
    if (!link)
        return;
    struct network_view view = network_look(link, NETWORK_CLIENT);
    claim(sim, "heartbeat", view.unread == 0 && (sim->plan.tls || now_of(member) >= view.heard_ms + wait));
}

static void note_wait(struct member *member, int64_t ms)
{
    member->waited_ms = ms < 0 || member->sim->sabotage == SABOTAGE_RETRY ? 0 : (uint64_t)ms;
}

static void on_close(struct swale_client *client, const struct swale_client_closing *closing)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    struct book *book = book_of(sim, member->port);
    sim_note(sim, "close", member->port, (uint64_t)-closing->close.reason);
    claim(sim, "pairing", member->open && book->client_open && !book->client_closed);
    claim(sim, "valid", sim_is_weather(sim, closing->close.reason));
    if (closing->close.reason == SWALE_ERR_HEARTBEAT)
        judge_heartbeat(sim, member);
    member->open = false;
    member->last_code = closing->close.code;
    book->client_closed = true;
    book->clean = closing->close.clean;
    book->reason = closing->close.reason;
    book->code = closing->close.code;
    book->finished = member->finishing;
    note_wait(member, closing->retry_ms);
}

static void on_fail(struct swale_client *client, const struct swale_client_failure *failure)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    sim_note(sim, "fail", member->id, (uint64_t)-failure->reason);
    claim(sim, "pairing", !member->open && failure->text[0]);
    claim(sim, "valid",
          (failure->phase >= SWALE_PHASE_CONNECT && failure->phase <= SWALE_PHASE_HANDSHAKE) ||
              sim_lacks_memory(sim, failure->reason));
    if (failure->response)
        claim(sim, "valid", failure->response->status == 503 || failure->response->status == 408);
    if (failure->reason == SWALE_ERR_HANDSHAKE_TIMEOUT)
        claim(sim, "handshake", now_of(member) >= member->trying_ms + sim->plan.client.handshake_ms);
    note_wait(member, failure->retry_ms);
}

/* What a client takes for the last word is the service's word to a slow reader; it asks again all the same. */
static void on_end(struct swale_client *client, int reason)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    sim_note(sim, "end", member->id, (uint64_t)-reason);
    claim(sim, "pairing", !member->open && !member->over);
    if (member->closing) {
        member->over = true;
        return;
    }
    claim(sim, "retry", member->last_code == 1008);
    claim(sim, "errors", swale_client_reconnect(client) == 0);
}

static void on_state(struct swale_client *client, enum swale_client_state state)
{
    struct member *member = member_of(client);
    claim(member->sim, "pairing", state != member->state && state == swale_client_state(client));
    member->state = state;
    if (state == SWALE_CLIENT_CONNECTING)
        member->trying_ms = now_of(member);
    if (state == SWALE_CLIENT_WAITING)
        member->waiting_ms = now_of(member);
}

static void on_fate(struct swale_client *client, uint64_t number, enum swale_fate fate)
{
    struct member *member = member_of(client);
    struct sim *sim = member->sim;
    claim(sim, "fates", number > 0 && number <= member->count - member->first);
    claim(sim, "fates",
          swale_client_fate(client, number) == fate || swale_client_fate(client, number) == SWALE_FATE_FORGOTTEN);
    if (sim->broken)
        return;
    if (sim->sabotage == SABOTAGE_HALVES && sim_roll(sim, 10) == 0)
        fate = fate == SWALE_FATE_WRITTEN ? SWALE_FATE_REFUSED : SWALE_FATE_WRITTEN;
    books_fate(sim, member, member->first + (uint32_t)number - 1, fate);
}

/* The policy is the client's own (full jitter); a Retry-After stands before it. */
static int64_t on_retry(struct swale_client *client, const struct swale_client_retry *retry)
{
    struct member *member = member_of(client);
    uint64_t doubled = retry->failures > 7 ? 30000 : 500u << (retry->failures > 0 ? retry->failures - 1 : 0);
    if (retry->delay_ms != SWALE_CLIENT_STOP && retry->retry_after_ms < 0)
        claim(member->sim, "retry", retry->delay_ms <= (int64_t)(doubled < 30000 ? doubled : 30000));
    return retry->delay_ms;
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static void new_client(struct member *member)
{
    static const struct swale_client_handler handler = { .on_open = on_open,
                                                         .on_message = on_message,
                                                         .on_drain = on_drain,
                                                         .on_close = on_close,
                                                         .on_fail = on_fail,
                                                         .on_end = on_end,
                                                         .on_state = on_state,
                                                         .on_fate = on_fate,
                                                         .on_retry = on_retry };
    struct sim *sim = member->sim;
    char url[40], text[SWALE_CLIENT_MESSAGE_MAX];
    snprintf(url, sizeof url, "%s://server:80/c/%u", sim->plan.tls ? "wss" : "ws", member->id);
    struct swale_client_options options = {
        .url = url,
        .handler = &handler,
        .user = member,
        .proxy = "",
        .tls = sim->client_tls,
        .limits = &sim->plan.client,
        .deflate = { .enabled = sim->plan.deflate },
        .max_pending = member->pending ? sim->plan.max_pending : 0,
    };
    if (sim->sabotage == SABOTAGE_PENDING)
        options.max_pending *= 4;
    member->state = SWALE_CLIENT_ENDED; /* so that the first is a change */
    member->first = member->floor = member->count;
    member->connections = 0;
    member->open = member->full = false;
    claim(sim, "errors", swale_client_new(&member->client, member->host->loop.loop, &options, text) == 0);
}

void members_begin(struct sim *sim)
{
    sim->members = calloc(sim->plan.members, sizeof *sim->members);
    if (!sim->members)
        abort();
    for (unsigned i = 0; i < sim->plan.members; i++) {
        struct member *member = &sim->members[i];
        member->sim = sim;
        member->id = i;
        member->host = &sim->hosts[sim->plan.workers + i % sim->plan.hosts];
        member->pending = i % 2;
        member->timer = (struct swale_timer){ .fire = on_timer, .context = member };
        new_client(member);
        arm(member);
    }
}

/* What it had on its way may arrive or not. */
void member_crash(struct member *member)
{
    struct sim *sim = member->sim;
    sim_note(sim, "crash", member->id, member->count);
    swale_client_free(member->client);
    for (uint32_t i = member->first; i < member->count; i++)
        member->messages[i].orphan = member->messages[i].fate != SWALE_FATE_REFUSED;
    struct book *book = book_of(sim, member->port);
    book->client_open = false;
    member->host->loop.memory.fail_at = 0;
    new_client(member);
}

void member_hurry(struct member *member)
{
    struct sim *sim = member->sim;
    sim_note(sim, "hurry", member->id, 0);
    if (member->closing)
        return;
    if (sim_roll(sim, 2)) {
        claim(sim, "errors", swale_client_reconnect(member->client) == 0);
    } else {
        member->probing |= member->open;
        swale_client_network_changed(member->client, 100 + sim_roll(sim, 3000));
    }
}

void members_close(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++) {
        struct member *member = &sim->members[i];
        resume(member);
        member->finishing = sim_roll(sim, 2);
        member->closing = true;
        member->closing_ms = now_of(member);
        member->behind = swale_client_pending(member->client) > 0;
        int result = member->finishing ? swale_client_finish(member->client, CLOSE_CODE, "bye")
                                       : swale_client_close(member->client, CLOSE_CODE, NULL);
        claim(sim, "errors", result == 0);
    }
}

bool members_over(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++)
        if (!sim->members[i].over)
            return false;
    return true;
}

void members_end(struct sim *sim)
{
    for (unsigned i = 0; i < sim->plan.members; i++) {
        swale_timer_stop(sim->members[i].host->loop.loop, &sim->members[i].timer);
        swale_client_free(sim->members[i].client);
        free(sim->members[i].messages);
    }
    free(sim->members);
}
