/* terms.c - what opening handshakes have settled about connections: compression and subprotocol.
 *
 * Most connections of a group have the same terms as others. Those without windows of their own share them, so that
 * they cost nothing for each. The group knows the latest few: peers that ask for ever others make it forget the
 * former, and not grow. */
#include "conn/state.h"

static bool shareable(const struct swale__terms *terms)
{
    return !terms->send_takeover && !terms->receive_takeover;
}

/* Which side's parameters are ours (RFC 7692 section 7.1). zlib has no raw window of 8 bits: a direction of ours that
 * is limited to it stays uncompressed, which is always allowed. */
static struct swale__terms read_terms(const struct swale__conn_group *group, const struct swale__conn_open *open)
{
    const struct swale_deflate_params *params = &open->deflate_params;
    bool server = group->config.role == SWALE_SERVER;
    struct swale__terms terms = { .deflate = open->deflate, .subprotocol = open->subprotocol };
    if (!open->deflate)
        return terms;
    uint8_t send_bits = server ? params->server_max_window_bits : params->client_max_window_bits;
    terms.send_bits = send_bits < 9 ? 0 : send_bits;
    terms.receive_bits = server ? params->client_max_window_bits : params->server_max_window_bits;
    terms.send_takeover = server ? !params->server_no_context_takeover : !params->client_no_context_takeover;
    terms.receive_takeover = server ? !params->client_no_context_takeover : !params->server_no_context_takeover;
    return terms;
}

static bool agree(const struct swale__terms *a, const struct swale__terms *b)
{
    return shareable(a) && shareable(b) && a->deflate == b->deflate && a->send_bits == b->send_bits &&
           a->receive_bits == b->receive_bits && swale_span_equal(a->subprotocol, b->subprotocol);
}

static struct swale__terms *find(const struct swale__conn_group *group, const struct swale__terms *terms)
{
    for (size_t i = 0; i < SWALE__TERMS_KNOWN; i++)
        if (group->terms[i] && agree(group->terms[i], terms))
            return group->terms[i];
    return NULL;
}

static struct swale__terms *copy(const struct swale__conn_group *group, const struct swale__terms *terms)
{
    size_t size = terms->subprotocol.size;
    struct swale__terms *made = swale__alloc(group->allocator, sizeof *made + size);
    if (!made)
        return NULL;
    *made = *terms;
    if (size > 0)
        made->subprotocol = swale_span(memcpy(made + 1, terms->subprotocol.data, size), size);
    return made;
}

/* In the place of the oldest. */
static void remember(struct swale__conn_group *group, struct swale__terms *terms)
{
    struct swale__terms **place = &group->terms[group->terms_oldest++ % SWALE__TERMS_KNOWN];
    swale__terms_release(group, *place);
    *place = terms;
    terms->holders++;
}

int swale__terms_hold(struct swale__terms **terms, struct swale__conn_group *group,
                      const struct swale__conn_open *open)
{
    struct swale__terms wanted = read_terms(group, open);
    *terms = NULL;
    if (!wanted.deflate && wanted.subprotocol.size == 0)
        return 0;
    struct swale__terms *found = find(group, &wanted);
    if (!found) {
        found = copy(group, &wanted);
        if (!found)
            return -ENOMEM;
        if (shareable(found))
            remember(group, found);
    }
    found->holders++;
    *terms = found;
    return 0;
}

void swale__terms_release(const struct swale__conn_group *group, struct swale__terms *terms)
{
    if (!terms || --terms->holders > 0)
        return;
    if (terms->deflater)
        swale_deflater_free(terms->deflater);
    if (terms->inflater)
        swale_inflater_free(terms->inflater);
    swale__free(group->allocator, terms, sizeof *terms + terms->subprotocol.size);
}

void swale__terms_forget(struct swale__conn_group *group)
{
    for (size_t i = 0; i < SWALE__TERMS_KNOWN; i++) {
        swale__terms_release(group, group->terms[i]);
        group->terms[i] = NULL;
    }
}
