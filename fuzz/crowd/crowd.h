/* crowd.h - who takes part in the script of fuzz/crowd.c: the world, its application, its peers. */
#ifndef SWALE_FUZZ_CROWD_H
#define SWALE_FUZZ_CROWD_H

#include "conn/state.h"
#include "fuzz.h"
#include "memory.h"
#include "server/server.h"

#include <swale/hub.h>

#include <stdlib.h>

enum { BYSTANDERS = 3, PEERS = 9, APPS = 64, OWED = 512, TOPICS = 3, HELD = 16 };
enum { MAX_MESSAGE = 40000, HIGH_WATER = 4096, MAX_QUEUE = 65536, CAPACITY_MAX = 65536, RECEIVE_MAX = 16384 };

enum route { ECHO, PARTS, CONTEXT, WILD, WILD_PARTS, TOPIC, ROUTES };

struct world;

/* A connection as its application knows it. */
struct app {
    struct world *world;
    struct swale_conn *conn; /* NULL before on_open */
    enum route route;
    bool paused, full, closing;
    uint32_t sequence; /* of the next direct message */
    size_t part_size;  /* of the one that is being sent in parts; 0: none is */
};

struct peer {
    struct world *world;
    struct swale__stream *stream; /* NULL: not connected */
    enum route route;
    /* What it sends: `out` waits, `flight` is in a write that has not completed. */
    char *out, *flight;
    size_t out_size, in_flight;
    bool full, over, shut, good; /* good: it has sent valid things only */
    bool reading, pongs, asked, deflate, takeover;
    /* What it hears: a head, then frames. */
    bool frames, mute; /* mute: what comes is not looked at */
    char *in;
    size_t in_size;
    struct swale_engine engine;
    struct swale_inflater *inflater;
    struct swale_deflater *deflater;
    char *message;
    size_t message_size;
    uint32_t next[256];   /* sequence numbers expected, by source */
    uint32_t sent, heard; /* messages to echo, and echoes */
    uint32_t owed[OWED];  /* their sizes */
};

struct world {
    const uint8_t *at, *end; /* the script */
    uint64_t now_ms;
    struct test_memory memory;
    struct swale_allocator allocator;
    struct swale_loop *loop;
    struct swale_server *server;
    struct swale_hub *hub;
    struct peer peers[PEERS];
    struct app *apps[APPS];
    struct swale_exchange *held[HELD];
    int users, opened, closed, connected;
    uint32_t published[TOPICS];
    uint64_t deliveries;
    bool failed, stopped;
};

static inline bool may_fail(const struct world *world)
{
    return world->memory.fail_at != 0;
}

/* ---- world.c: the script, and bytes ----------------------------------------------------------------- */

/* The next byte, 0 at the end of the script; a size of a message that it stands for. */
unsigned crowd_take(struct world *world);
size_t crowd_take_size(struct world *world);

void *crowd_copy(const void *data, size_t size);
void crowd_append(char **buffer, size_t *size, const void *data, size_t more);

/* Room to make a message in. */
extern char crowd_payload[MAX_MESSAGE + 1];

/* The payloads of our messages: who sends it, which one it is, and then bytes that follow from that. Fills in `size`
 * bytes, from byte `from` on, of a message that is no longer than MAX_MESSAGE as a whole. */
enum { MARK = 5 };
void crowd_fill(char *out, char source, uint32_t sequence, size_t from, size_t size);
bool crowd_matches(const char *data, size_t size, char source, uint32_t sequence);
uint32_t crowd_sequence(const char *data);

/* ---- application.c ---------------------------------------------------------------------------------- */

extern const char *const crowd_paths[ROUTES];
void crowd_add_routes(struct world *world, struct app patterns[ROUTES]);

/* Does what the script says, with this connection or another. */
void crowd_act(struct app *app);

/* Publishes what the script says. A task: in a turn, so that it is delivered on return. */
void crowd_publish(void *world);
struct swale_span crowd_topic(unsigned n);

/* Answers the nth exchange that was put off, if there is one. */
void crowd_decide(struct world *world, unsigned n, unsigned how);

/* ---- peer.c ----------------------------------------------------------------------------------------- */

void crowd_connect(struct world *world, struct peer *peer, unsigned how);
void crowd_leave(struct peer *peer, bool reset);

void crowd_ask(struct peer *peer, const char *target, const char *fields);
void crowd_upgrade(struct peer *peer, enum route route);
void crowd_say(struct peer *peer, const void *data, size_t size);
void crowd_say_frame(struct peer *peer, unsigned byte0, const char *data, size_t size);

/* A valid message, whole or in two fragments, compressed if that was agreed on. */
void crowd_say_message(struct peer *peer, size_t size, unsigned how);

#endif
