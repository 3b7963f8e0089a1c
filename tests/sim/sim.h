/* sim.h - a whole system in one process, from a seed: one server, its application and its hub, and hundreds of
 * clients, on a network where everything goes wrong that can.
 *
 *     members --swale_client--> network (tests/lib/network.h) --swale_server, swale_hub--> service
 *        |                                                                                   |
 *        +------------------------------------> books <--------------------------------------+
 *
 * There are several hosts. Each has a loop with a clock of its own, which may jump, and may fall asleep for a while.
 * The scheduler turns any of those that have something to do, by chance; when nobody has, time passes. Everything,
 * the library's own chance included, comes from the seed, so that a run can be repeated.
 *
 *     run.c      a run from its beginning to its end            books.c    what must have happened, and what has
 *     world.c    hosts, time, and what is wrong                 watch.c    bounds and deadlines
 *     weather.c  what a seed means; faults                      service.c  the server, and what it does with messages
 *                                                               members.c  the clients
 *
 * Every claim has a name, under which it is said to be broken; the first one ends the run. */
#ifndef SWALE_SIM_H
#define SWALE_SIM_H

#include "network.h"
#include "vloop.h"

#include <swale/client.h>
#include <swale/hub.h>
#include <swale/server.h>

enum { HOSTS = 4, WORKERS = 2, TOPICS = 3, PAYLOAD_MAX = 60000, PUBLICATION_MAX = 4096 };

/* With which members close, and nobody else. */
enum { CLOSE_CODE = 1000 };

/* How late a deadline may be seen to be kept: a turn may come a little after it. */
enum { LATE_MS = 20 };

struct sim;

/* ---- What is wrong on purpose ---------------------------------------------------------------------------- */

/* So that it can be seen that it is noticed; each belongs to a claim (catches_test.c). */
enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_DOUBLE, /* the network's tricks */
    SABOTAGE_SWAP,
    SABOTAGE_LOSE,
    SABOTAGE_FLIP,
    SABOTAGE_FORGET,
    SABOTAGE_BREAK,
    SABOTAGE_TAMPER,
    SABOTAGE_DEAF,      /* the service forgets a message, */
    SABOTAGE_ECHO,      /* acknowledges one twice, */
    SABOTAGE_SILENT,    /* or not at all, */
    SABOTAGE_UNCLOSED,  /* does not hear that one has gone, */
    SABOTAGE_UNDRAINED, /* nor that there is room, */
    SABOTAGE_HOARD,     /* keeps memory for each message, */
    SABOTAGE_LEAK,      /* or once, for ever, */
    SABOTAGE_BUSY,      /* never rests, */
    SABOTAGE_INBOX,     /* publishes what does not fit, */
    SABOTAGE_RUDE,      /* writes to a stream without asking, */
    SABOTAGE_SKIP,      /* or leaves a publication out for one of its subscribers */
    SABOTAGE_HALVES,    /* a member takes a fate for another, */
    SABOTAGE_CARELESS,  /* or what was refused for sent */
    SABOTAGE_QUEUE,     /* limits are not what they were said to be */
    SABOTAGE_PENDING,
    SABOTAGE_HANDSHAKE,
    SABOTAGE_HEARTBEAT,
    SABOTAGE_HASTE, /* of the heartbeat: it comes too early */
    SABOTAGE_CLOSE_WAIT,
    SABOTAGE_DRAIN,
    SABOTAGE_RETRY, /* nor is what a client says of its wait */
    SABOTAGE_DICE,  /* something that does not come from the seed */
    SABOTAGES
};

/* ---- What goes wrong by chance ---------------------------------------------------------------------------- */

/* Kinds of mishaps; a run has some of them (a bit for each). Those from MISHAPS on are the application's: it does
 * them now and then, in its callbacks. */
enum mishap {
    LINKS_RESET,
    LINKS_END,
    LINKS_HALF_OPEN,
    LINKS_SILENT,
    LINKS_SLOW,
    LINKS_STALL,
    CLOCK_JUMPS,
    HOST_SLEEPS,
    SERVER_KILLED,
    SERVER_DRAINED,
    DIALS_FAIL,
    MEMBERS_ACT,
    MEMORY_SHORT,
    MISHAPS,
    HANG_UPS = MISHAPS,
    PAUSES,
    REFUSALS,
    ALL_MISHAPS
};

/* ---- Claims ----------------------------------------------------------------------------------------------- */

/* It was claimed that this holds. What is found after the first that does not is not told: it may follow from it. */
#define claim(sim, name, holds) ((holds) ? (void)0 : sim_broken(sim, name, #holds, __FILE__, __LINE__))
void sim_broken(struct sim *sim, const char *name, const char *what, const char *file, int line);

/* ---- Hosts ------------------------------------------------------------------------------------------------ */

struct host {
    struct test_loop loop;
    bool up;
    uint64_t ahead_ms;        /* of the true time */
    uint64_t asleep_until_ms; /* true time */
    uint64_t jumped_ms;       /* own time: when it woke, or its clock jumped, last */
    size_t at_rest;           /* bytes of memory before there was anybody */
};

/* ---- The server ------------------------------------------------------------------------------------------- */

/* A connection, on the server's side. */
struct seat {
    struct sim *sim;
    struct swale__list node;
    struct swale_conn *conn; /* NULL before on_open */
    struct host *host;
    unsigned worker;
    unsigned member;
    uint16_t port;
    bool paused, full, finishing;
    bool lost;           /* with its server */
    uint64_t closing_ms; /* own time; 0: not */
    uint64_t resumed_ms;
};

struct service {
    enum { SERVICE_DOWN, SERVICE_UP, SERVICE_DRAINING } state;
    unsigned workers;
    struct host *hosts[WORKERS];
    struct swale_server *servers[WORKERS];
    struct swale_timer timers[WORKERS];
    struct swale_hub *hub;
    struct test_memory hub_memory;
    struct swale_allocator hub_allocator;
    struct swale__list seats;
    uint64_t back_ms;                    /* DOWN: true time when it starts again */
    uint64_t stopped_ms[WORKERS];        /* DRAINING: own time */
    uint32_t published[WORKERS][TOPICS]; /* by this server; it may be the nth */
    uint32_t life;                       /* which one it is */
    unsigned opened, closed;
    bool unavailable;
    bool last;  /* it does not come back */
    void *leak; /* by sabotage */
    size_t leak_size;
    unsigned leak_host;
};

/* ---- The clients ------------------------------------------------------------------------------------------ */

/* A message of a member's. The index is its number. */
struct message {
    uint32_t size;
    uint16_t port; /* of the connection on which it came to its fate */
    uint8_t fate;
    bool seen;   /* by the service */
    bool orphan; /* the client that had it is gone */
};

struct member {
    struct sim *sim;
    unsigned id;
    struct host *host;
    struct swale_client *client; /* NULL for a moment */
    struct swale_timer timer;
    bool pending; /* what it says may wait */
    bool open, over, closing, finishing, full, probing;
    bool behind;   /* it closes behind what waits */
    uint16_t port; /* of the latest connection */
    uint32_t connections;
    uint64_t trying_ms, waiting_ms, closing_ms, waited_ms; /* own time: since when; and for how long it is to wait */
    uint64_t resumed_ms;
    enum swale_client_state state;
    int last_code;
    struct message *messages;
    uint32_t count, room;
    uint32_t first; /* of the present client */
    uint32_t floor; /* what is below has a fate */
};

/* ---- The books -------------------------------------------------------------------------------------------- */

/* What is known of one connection, by its port. */
struct book {
    bool used, client_open, client_closed, clean, finished;
    int reason, code;
    uint16_t member;
    uint32_t next;  /* message that the service may see next */
    uint32_t *seen; /* by the service, in this order */
    uint32_t seen_count, seen_room;
    uint32_t acknowledged; /* how many of these */
    unsigned worker;
    uint32_t life;
    bool joined[TOPICS];
    uint32_t joined_at[WORKERS][TOPICS]; /* how many had been published */
    uint32_t heard[WORKERS][TOPICS];     /* the last one that came */
    uint64_t server_closed_ms;           /* own time of its host */
};

/* ---- A run ------------------------------------------------------------------------------------------------ */

/* What a seed means: weather.c. */
struct plan {
    unsigned members, hosts, workers;
    uint64_t ms;
    uint32_t talk_ms; /* between what one member says */
    uint32_t words;   /* messages in all */
    uint32_t publish_ms;
    uint32_t size_max;
    uint32_t mishap_ms; /* between what goes wrong; 0: nothing does */
    uint32_t mishaps;   /* a bit for each kind */
    struct network_shape shape;
    bool in_flight, deflate, tls;
    struct swale_limits server, client; /* as they are said to be */
    uint32_t drain_ms;
    uint64_t max_pending;
    uint64_t backlog; /* of the hub */
};

struct sim {
    uint64_t seed, now_ms;
    enum sabotage sabotage;
    struct dice dice;
    struct plan plan;
    struct network network;
    struct test_loop ether;
    struct swale_tls *server_tls, *client_tls; /* or NULL */
    struct host hosts[HOSTS];                  /* the server's first */
    struct service service;
    struct member *members;
    struct book *books;
    size_t book_count;
    bool talking;
    uint64_t watch_at_ms;
    unsigned last_worker, last_topic; /* that something was published on, in the end */
    uint32_t words;
    uint64_t shortages; /* allocations that have failed */
    uint64_t steps, digest, messages, acknowledged, connections, published;
    bool said; /* what the sabotage has done, once */
    bool verbose;
    /* The claim that was broken first. */
    const char *broken;
    char what[200];
};

/* Runs it. Whether all claims held; if not, `broken` and `what` tell which. */
bool sim_run(struct sim *sim, uint64_t seed, enum sabotage sabotage);

/* A line for people: what kind of run it was. */
void sim_describe(const struct sim *sim, char *out, size_t size);

/* ---- world.c ---------------------------------------------------------------------------------------------- */

void host_begin(struct sim *sim, struct host *host);
void host_end(struct sim *sim, struct host *host);
uint64_t host_now(const struct host *host);
bool host_awake(const struct sim *sim, const struct host *host);

/* Turns hosts, and lets time pass, until then or until something is broken. */
void sim_pass(struct sim *sim, uint64_t ms);

/* All that is due at this instant, on every host that is awake. */
void sim_settle(struct sim *sim);

/* A clock jumps; a host sleeps for so long. */
void host_jump(struct sim *sim, struct host *host, uint64_t ms);
void host_sleep(struct sim *sim, struct host *host, uint64_t ms);

/* Writes down that something has happened: for the digest, by which two runs are compared. */
void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b);
uint32_t sim_roll(struct sim *sim, uint32_t below);

/* ---- weather.c -------------------------------------------------------------------------------------------- */

void weather_plan(struct sim *sim);
void weather_shape(void *sim, struct network_shape shapes[2]);
void weather_mishap(struct sim *sim);
void weather_calm(struct sim *sim);
bool sim_has(const struct sim *sim, enum mishap mishap);

/* What may end a connection, on either side, neither of which ever breaks a rule. */
bool sim_is_weather(const struct sim *sim, int reason);

/* An error that may come of a mishap: some allocation has failed. */
bool sim_lacks_memory(const struct sim *sim, int error);

/* ---- service.c -------------------------------------------------------------------------------------------- */

void service_begin(struct sim *sim);
void service_stop(struct sim *sim);            /* begins to drain */
void service_kill(struct sim *sim, bool told); /* and it is gone */
void service_tick(struct sim *sim);            /* a drain that is over; a start that is due */
void service_publish(struct sim *sim, unsigned worker, unsigned topic);
void service_end(struct sim *sim);
void service_hang_up(struct seat *seat);

/* ---- members.c -------------------------------------------------------------------------------------------- */

void members_begin(struct sim *sim);
void members_close(struct sim *sim);
bool members_over(const struct sim *sim);
void member_crash(struct member *member);
void member_hurry(struct member *member);
void members_end(struct sim *sim);

/* ---- books.c ---------------------------------------------------------------------------------------------- */

/* What is said, both ways. Behind it come bytes that follow from it. */
struct letter {
    char what; /* 'm'essage, 'a'cknowledgement, 't'opic's */
    uint8_t worker, topic;
    uint16_t member;
    uint32_t number, size, life;
};
enum { LETTER_SIZE = sizeof(struct letter) };
void letter_write(char *out, const struct letter *letter);
bool letter_read(struct letter *letter, struct swale_span data);

struct book *book_of(struct sim *sim, uint16_t port);
void books_seen(struct sim *sim, const struct seat *seat, const struct letter *letter);
void books_acknowledged(struct sim *sim, const struct member *member, const struct letter *letter);
void books_heard(struct sim *sim, const struct member *member, const struct letter *letter);
void books_fate(struct sim *sim, struct member *member, uint32_t number, enum swale_fate fate);

/* Everybody is open and has been heard, and nothing is on its way. */
bool books_content(const struct sim *sim);

/* And everybody has heard the last that was published. */
bool books_heard_last(const struct sim *sim);
void books_judge_calm(struct sim *sim);
void books_judge_end(struct sim *sim);
void books_free(struct sim *sim);

/* ---- watch.c ---------------------------------------------------------------------------------------------- */

/* Bounds and deadlines, of all that lives on this host, which has just been turned and rests. */
void watch_host(struct sim *sim, struct host *host);
void watch_rest(struct sim *sim);

#endif
