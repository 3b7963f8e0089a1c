/* The network's doors and dials, and what goes wrong with it; links are in network_link.c.
 *
 *     dial --delay--> door? --no--> refused, after another delay
 *                       |
 *                      link --> accepted in a turn of the door's loop;  connected, after another delay */
#include "network_link.h"

#include "io/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* After so long a dial that was not answered is sent again (RFC 6298 section 2: the first timeout of TCP). */
enum { AGAIN_MS = 1000 };

/* A dial, from the client's side. */
struct swale__connecting {
    struct network *network;
    struct swale__connect_options options;
    struct swale__list node;
    struct swale_timer timer;         /* on the ether: its arrival, or the refusal's */
    struct swale__work begin, result; /* on the client's loop */
    struct network_link *link;
    uint32_t delay_ms;
    int error;
    bool arrived;
    char address[80];
};

/* For the functions of the library that are ours. */
static struct network *the_network;

void network_begin(struct network *network)
{
    if (the_network)
        network_breach(network, "a second network");
    swale__list_init(&network->dials);
    the_network = network;
}

void network_end(struct network *network)
{
    while (network->link_count > 0) {
        struct network_link *link = network->links[0];
        if (!link->ends[NETWORK_CLIENT].closed || !link->ends[NETWORK_SERVER].closed)
            network_breach(network, "a stream was not closed");
        network_link_free(link);
    }
    free(network->links);
    if (network->doors || !swale__list_empty(&network->dials))
        network_breach(network, "somebody is still there");
    the_network = NULL;
}

/* ---- Doors ---------------------------------------------------------------------------------------------- */

struct swale__listener {
    struct network_door door;
};

int swale__listen(struct swale__listener **out, struct swale_loop *loop,
                  const struct swale__listener_options *options)
{
    struct swale__listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return -ENOMEM;
    struct network_door *door = &listener->door;
    door->options = *options;
    door->loop = loop;
    if (options->tls)
        swale_tls_ref(options->tls);
    snprintf(door->address, sizeof door->address, "%s", options->address);
    door->next = the_network->doors;
    the_network->doors = door;
    *out = listener;
    return 0;
}

/* Anybody may share any address. */
int swale__listen_probe(const char *address)
{
    (void)address;
    return 0;
}

int swale__listen_copy(struct swale__listener **listener, struct swale_loop *loop,
                       const struct swale__listener *original, const struct swale__listener_options *options)
{
    struct swale__listener_options copy = *options;
    copy.address = original->door.address;
    return swale__listen(listener, loop, &copy);
}

const char *swale__listener_address(const struct swale__listener *listener)
{
    return listener->door.address;
}

/* Who has knocked and was not let in is reset, as by a kernel. */
void swale__listener_close(struct swale__listener *listener)
{
    struct network_door *door = &listener->door;
    for (size_t i = 0; i < the_network->link_count; i++)
        if (the_network->links[i]->door == door) {
            the_network->links[i]->door = NULL;
            swale__loop_forget(door->loop, &the_network->links[i]->accept);
            swale__stream_close(&the_network->links[i]->ends[NETWORK_SERVER].stream, true);
        }
    struct network_door **at = &the_network->doors;
    while (*at != door)
        at = &(*at)->next;
    *at = door->next;
    swale_tls_unref(door->options.tls);
    free(listener);
}

/* One of those at this address, by chance, as the kernel chooses among sockets that share one. */
static struct network_door *find_door(struct network *network, const char *address)
{
    struct network_door *found = NULL;
    uint32_t count = 0;
    for (struct network_door *door = network->doors; door; door = door->next)
        if (!door->dead && strcmp(door->address, address) == 0 && dice_roll(&network->dice, ++count) == 0)
            found = door;
    return found;
}

static void let_in(struct swale__work *work)
{
    struct network_link *link = SWALE__LIST_OWNER(work, struct network_link, accept);
    struct network_door *door = link->door;
    link->door = NULL;
    link->ends[NETWORK_SERVER].met = true;
    link->ends[NETWORK_SERVER].met_ms = swale_loop_now(door->loop);
    struct swale__stream *stream = &link->ends[NETWORK_SERVER].stream;
    int error = door->options.tls ? swale__tls_wrap(&stream, stream, door->options.tls, SWALE__ACCEPTED, NULL) : 0;
    if (!error)
        door->options.on_stream(door->options.context, stream);
    else if (door->options.on_error)
        door->options.on_error(door->options.context, error);
}

/* ---- Dials ------------------------------------------------------------------------------------------------ */

static void drop_dial(struct swale__connecting *dial)
{
    swale_timer_stop(dial->network->ether, &dial->timer);
    swale__loop_forget(dial->options.loop, &dial->begin);
    swale__loop_forget(dial->options.loop, &dial->result);
    swale__list_remove(&dial->node);
    free(dial);
}

static void tell_dial(struct swale__work *work)
{
    struct swale__connecting *dial = SWALE__LIST_OWNER(work, struct swale__connecting, result);
    struct swale__connect_options options = dial->options;
    struct network_link *link = dial->link;
    int error = dial->error;
    char text[160];
    snprintf(text, sizeof text, "connect to %s: %s", dial->address, strerror(-error));
    drop_dial(dial);
    if (error) {
        options.on_failed(options.context, error, false, text);
        return;
    }
    link->dial = NULL;
    link->ends[NETWORK_CLIENT].met_ms = swale_loop_now(options.loop);
    options.on_connected(options.context, &link->ends[NETWORK_CLIENT].stream);
}

void network_met(struct network_link *link)
{
    if (link->dial)
        swale__loop_at_next(link->dial->options.loop, &link->dial->result);
}

static void reach_door(struct swale__connecting *dial, struct network_door *door)
{
    struct network *network = dial->network;
    struct network_link *link = network_link_new(network, dial->options.loop, door->loop);
    network->accepted++;
    dial->link = link;
    link->dial = dial;
    link->door = door;
    link->accept.run = let_in;
    link->ends[NETWORK_SERVER].silenced = network->mute;
    network_send_mark(&link->ends[NETWORK_CLIENT], MARK_MET);
    if (!network->refusing) {
        swale__loop_at_next(door->loop, &link->accept);
        return;
    }
    link->door = NULL;
    swale__stream_close(&link->ends[NETWORK_SERVER].stream, true);
}

static void on_timer(struct swale_timer *timer)
{
    struct swale__connecting *dial = timer->context;
    struct network *network = dial->network;
    if (dial->arrived) {
        swale__loop_at_next(dial->options.loop, &dial->result);
        return;
    }
    if (network->silent || network->frozen) {
        swale_timer_start(network->ether, timer, network_now(network) + AGAIN_MS);
        return;
    }
    struct network_door *door = network->shut ? NULL : find_door(network, dial->address);
    dial->arrived = true;
    if (door) {
        reach_door(dial, door);
        return;
    }
    dial->error = -ECONNREFUSED;
    swale_timer_start(network->ether, timer, network_now(network) + dial->delay_ms);
}

static void begin_dial(struct swale__work *work)
{
    struct swale__connecting *dial = SWALE__LIST_OWNER(work, struct swale__connecting, begin);
    swale_timer_start(dial->network->ether, &dial->timer, network_now(dial->network) + dial->delay_ms);
    if (dial->options.on_resolved)
        dial->options.on_resolved(dial->options.context);
}

int swale__connect(struct swale__connecting **out, const struct swale__connect_options *options)
{
    struct network *network = the_network;
    struct network_shape shapes[2] = { { 0 }, { 0 } };
    struct swale__connecting *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    if (network->shape)
        network->shape(network->context, shapes);
    dial->network = network;
    dial->options = *options;
    dial->delay_ms = shapes[NETWORK_SERVER].delay_ms;
    dial->begin.run = begin_dial;
    dial->result.run = tell_dial;
    dial->timer.fire = on_timer;
    dial->timer.context = dial;
    snprintf(dial->address, sizeof dial->address, "%.*s:%u", (int)options->host.size, options->host.data,
             options->port);
    swale__list_append(&network->dials, &dial->node);
    swale__loop_at_next(options->loop, &dial->begin);
    *out = dial;
    return 0;
}

void swale__connect_cancel(struct swale__connecting *dial)
{
    struct network_link *link = dial->link;
    drop_dial(dial);
    if (!link)
        return;
    link->dial = NULL;
    swale__stream_close(&link->ends[NETWORK_CLIENT].stream, true);
}

/* ---- What goes wrong ---------------------------------------------------------------------------------------- */

static void harm_both(struct network_link *link, enum network_what what)
{
    network_cut(&link->ends[NETWORK_CLIENT], what);
    network_cut(&link->ends[NETWORK_SERVER], what);
}

static void stall(struct network_link *link, bool stalled, uint32_t sides)
{
    for (int i = 0; i < 2; i++) {
        if (sides & (1u << i))
            link->ends[i].stalled = stalled;
        network_arrive(&link->ends[i]);
    }
}

static void harm(struct network_link *link, enum fault fault)
{
    struct dice *dice = &link->network->dice;
    struct network_end *victim = &link->ends[dice_roll(dice, 2)];
    switch (fault) {
    case FAULT_RESET:
        harm_both(link, MARK_RESET);
        break;
    case FAULT_END:
        harm_both(link, MARK_END);
        break;
    case FAULT_HALF_OPEN:
        victim->silenced = true;
        network_cut(network_peer(victim), MARK_RESET);
        break;
    case FAULT_SILENCE:
        link->ends[NETWORK_CLIENT].silenced = link->ends[NETWORK_SERVER].silenced = true;
        break;
    case FAULT_SLOW:
        victim->shape.delay_ms = 1 + dice_roll(dice, 1000);
        break;
    case FAULT_BYTES:
        victim->shape.options.chunk = 1 + dice_roll(dice, 3);
        break;
    case FAULT_STALL:
        stall(link, true, 1 + dice_roll(dice, 3));
        break;
    default:
        for (int i = 0; i < 2; i++) {
            link->ends[i].shape.delay_ms = 0;
            link->ends[i].shape.options.chunk = 0;
        }
        stall(link, false, 3);
        break;
    }
}

void network_harm(struct network *network, enum fault fault, uint32_t permille)
{
    for (size_t i = 0; i < network->link_count; i++)
        if (permille >= 1000 || dice_roll(&network->dice, 1000) < permille)
            harm(network->links[i], fault);
}

void network_freeze(struct network *network, bool frozen)
{
    network->frozen = frozen;
    for (size_t i = 0; i < network->link_count; i++)
        for (int side = 0; side < 2; side++)
            network_arrive(&network->links[i]->ends[side]);
}

/* What it leaves behind is on its own: it may still close, and nobody will hear of it. */
static void sever(struct network_link *link, struct network_end *end, bool told)
{
    struct network_end *peer = network_peer(end);
    if (link->door) {
        link->door = NULL;
        swale__loop_forget(end->stream.loop, &link->accept);
        end->closed = true;
    }
    swale__loop_forget(end->stream.loop, &end->work);
    end->severed = true;
    if (end->closed)
        return; /* what it has sent is the network's */
    if (told)
        network_cut(peer, MARK_RESET);
    else
        peer->silenced = true;
}

void network_kill(struct network *network, const struct swale_loop *loop, bool told)
{
    for (struct network_door *door = network->doors; door; door = door->next)
        door->dead = door->dead || door->loop == loop;
    for (size_t i = 0; i < network->link_count; i++)
        for (int side = 0; side < 2; side++)
            if (network->links[i]->ends[side].stream.loop == loop)
                sever(network->links[i], &network->links[i]->ends[side], told);
    for (size_t i = 0; i < network->link_count; i++)
        network_link_check(network->links[i]);
}

/* ---- What can be seen ----------------------------------------------------------------------------------------- */

const struct network_link *network_find(const struct network *network, uint16_t port)
{
    for (size_t i = 0; i < network->link_count; i++)
        if (network->links[i]->number == port)
            return network->links[i];
    return NULL;
}

const struct network_link *network_nth(const struct network *network, size_t n)
{
    return n < network->link_count ? network->links[n] : NULL;
}

uint16_t network_port(const struct network_link *link)
{
    return link->number;
}

struct network_view network_look(const struct network_link *link, enum network_side side)
{
    const struct network_end *end = &link->ends[side];
    return (struct network_view){ .loop = end->stream.loop,
                                  .met = end->met,
                                  .closed = end->closed,
                                  .pressed = end->pressed || end->in_flight > 0,
                                  .unread = end->arrived,
                                  .met_ms = end->met_ms,
                                  .heard_ms = end->heard_ms,
                                  .wrote_ms = end->wrote_ms };
}
