/* network_link.h - what a link of the network is made of, for network.c and network_link.c. */
#ifndef SWALE_TEST_NETWORK_LINK_H
#define SWALE_TEST_NETWORK_LINK_H

#include "network.h"

#include "io/turn.h"

/* What is on its way to an end, in order. */
struct network_mark {
    uint64_t due_ms;
    size_t size; /* of DATA */
    enum network_what { MARK_DATA, MARK_MET, MARK_END, MARK_RESET } what;
};

struct network_end {
    struct swale__stream stream;
    struct network_link *link;
    struct network_shape shape;
    struct swale__work work;    /* what it does in its turn */
    struct swale_timer arrival; /* on the ether: of the first mark */

    /* On its way to this end. */
    char *bytes; /* [start .. start + size), of which `arrived` have */
    size_t start, size, room, arrived;
    struct network_mark *marks;
    size_t mark_count, mark_room;
    bool void_behind; /* what is still sent leads nowhere */
    bool silenced;    /* nothing arrives any more */
    bool stalled;     /* or not for now */
    bool met, ended, reset;

    /* What its user has been told, and has done. */
    bool reading, told_end, dead, shut, full, closed;
    bool severed; /* its host has died */
    size_t in_flight, flight_size;
    uint64_t flight_sum;
    int first, count; /* parts[first .. count) are left of what is in flight */
    struct iovec parts[SWALE__IOV_MAX], flight[SWALE__IOV_MAX];
    bool pressed;
    uint64_t met_ms, heard_ms, wrote_ms;
};

struct network_link {
    struct network *network;
    struct network_end ends[2];
    struct network_door *door;      /* where it waits to be accepted */
    struct swale__connecting *dial; /* that waits for it */
    struct swale__work accept, release;
    size_t index;
    uint16_t number;
    char address[24];
};

struct network_door {
    struct swale__listener_options options;
    struct swale_loop *loop;
    struct network_door *next;
    bool dead; /* its host is */
    char address[80];
};

struct network_link *network_link_new(struct network *network, struct swale_loop *client, struct swale_loop *server);

/* For both ends to be found closed: it goes with the ether's turn. */
void network_link_check(struct network_link *link);
void network_link_free(struct network_link *link);

/* Lets one more thing be on its way to an end. */
void network_send_mark(struct network_end *to, enum network_what what);

/* Of what is on its way to an end some is lost, and everything behind it; this comes instead. */
void network_cut(struct network_end *to, enum network_what what);

/* Everything that is due arrives, unless something is in its way. */
void network_arrive(struct network_end *end);
void network_breach(const struct network *network, const char *text);

/* network.c: the client's end has heard of its server. */
void network_met(struct network_link *link);

static inline struct network_end *network_peer(struct network_end *end)
{
    return &end->link->ends[end == &end->link->ends[NETWORK_CLIENT] ? NETWORK_SERVER : NETWORK_CLIENT];
}

static inline uint64_t network_now(const struct network *network)
{
    return swale_loop_now(network->ether);
}

#endif
